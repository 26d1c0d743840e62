"""The n-th call of libc fails, once or for ever: what was acknowledged holds,
what was not is there once or not at all, and the server goes on by itself."""

import errno
import os
import random
import subprocess

import pytest

from failing import SHORT
from stand import serve

# What each call can fail with. writev() is not called by anything here.
ERRORS = {
    "write": [errno.EIO, errno.ENOSPC, errno.EINTR, errno.EAGAIN, SHORT],
    "pwrite": [errno.EIO, errno.ENOSPC, errno.EINTR, SHORT],
    "fsync": [errno.EIO, errno.ENOSPC, errno.EINTR],
    "fdatasync": [errno.EIO, errno.ENOSPC, errno.EINTR],
    "ftruncate": [errno.EIO, errno.ENOSPC, errno.EINTR],
    "open": [errno.EIO, errno.ENOSPC, errno.EINTR, errno.EMFILE, errno.ENOMEM],
    "mmap": [errno.ENOMEM, errno.EAGAIN],
    "fork": [errno.EAGAIN, errno.ENOMEM],
    "accept": [errno.EMFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN],
    "malloc": [errno.ENOMEM],
    "recvmsg": [errno.EIO, errno.EINTR, errno.EAGAIN, errno.ENOMEM, SHORT],
    "sendmsg": [errno.EIO, errno.EINTR, errno.EAGAIN, errno.ENOMEM, SHORT],
    "read": [errno.EIO, errno.EINTR, errno.EAGAIN, SHORT],
    "pread": [errno.EIO, errno.EINTR, SHORT],
    "send": [errno.EIO, errno.EINTR, errno.EAGAIN, errno.ENOMEM, SHORT],
    "recv": [errno.EIO, errno.EINTR, errno.EAGAIN, errno.ENOMEM, SHORT],
    "poll": [errno.EINTR, errno.ENOMEM],
    "epoll_wait": [errno.EINTR],
    "socket": [errno.EMFILE, errno.ENOMEM],
}
AT_REST = ["fsync", "ftruncate"]  # not made while customers are served: test_starts
MOST = 200  # the n of the last n-th call
NEAR = 20  # of those up to here each is tried, of those behind a sample: about as many as a conversation makes
SAMPLE = 20


@pytest.fixture(scope="module")
def stand(workshop):
    yield from serve(workshop, int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32))))


@pytest.mark.parametrize("call", [call for call in ERRORS if call not in AT_REST])
def test_a_call_that_fails(stand, full, call):
    for error in ERRORS[call]:
        if not full:
            stand.case(call, stand.chance.randint(1, NEAR), error, stand.chance.random() < 0.5)
            continue
        far = stand.chance.sample(range(NEAR + 1, MOST + 1), SAMPLE)
        for nth in [*range(1, NEAR + 1), *sorted(far)]:
            for for_ever in (False, True):
                stand.case(call, nth, error, for_ever)
    stand.report(call)


def test_want_of_memory_for_a_hash_is_no_wrong_password(stand):
    """The first tenths of the work of a helper: crypt(3) maps its memory anew for each hash."""
    for nth in range(1, 4):
        stand.restart()  # a password found right a moment ago is not hashed again
        stand.case("mmap", nth, errno.ENOMEM, for_ever=False, kinds=["helper"])
