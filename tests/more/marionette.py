"""Marionette, the remote control built into Mozilla's programs: JSON over TCP.

Just enough of it to run a script in the chrome of a Thunderbird and to take a
picture of its window.
"""

import base64
import json
import socket


class MarionetteError(Exception):
    pass


class Marionette:
    def __init__(self, port, timeout):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.stream = self.socket.makefile("rb")
        self.next_id = 0
        self._receive()  # who is there
        self.call("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})
        self.call("Marionette:SetContext", {"value": "chrome"})

    def close(self):
        self.stream.close()
        self.socket.close()

    def _receive(self):
        digits = b""
        while not digits.endswith(b":"):
            octet = self.stream.read(1)
            if not octet:
                raise MarionetteError("the program has hung up")
            digits += octet
        length = int(digits[:-1])
        return json.loads(self.stream.read(length))

    def call(self, command, parameters=None):
        self.next_id += 1
        message = json.dumps([0, self.next_id, command, parameters or {}]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        while True:
            kind, number, error, result = self._receive()
            if kind == 1 and number == self.next_id:
                break
        if error:
            raise MarionetteError(f"{command}: {error['error']}: {error['message']}")
        return result

    def run(self, script, *arguments, timeout=30):
        """Runs the body of an async function in the chrome; what it returns."""
        wrapped = (
            "const done = arguments[arguments.length - 1];"
            "(async (...args) => {" + script + "})(...Array.from(arguments).slice(0, -1))"
            ".then(value => done({ value }), error => done({ error: String(error) + '\\n' + error?.stack }));"
        )
        answer = self.call(
            "WebDriver:ExecuteAsyncScript", {
                "script": wrapped,
                "args": list(arguments),
                "newSandbox": True,
                "sandbox": "system",
                "scriptTimeout": timeout * 1000,
            },
        )["value"]
        if "error" in answer:
            raise MarionetteError(answer["error"])
        return answer.get("value")

    def screenshot(self):
        """The window as PNG octets."""
        answer = self.call("WebDriver:TakeScreenshot", {"full": False, "hash": False})
        return base64.b64decode(answer["value"])
