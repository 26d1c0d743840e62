"""What can be wrong with what is stored, and with the people of the office."""

from letters import letter
from mistakes import change_store, free_port, mistake


# ---- what is stored


def with_mail(office):
    office.start()
    office.deliver(letter(1))
    office.stop()


@mistake("message", "its octets are not what was written", "officemail mail remove ani@kantor.example")
def a_message_that_is_damaged(office):
    with_mail(office)
    change_store(office, "UPDATE pieces SET octets = CAST(x'00' || substr(octets, 2) AS BLOB)")


@mistake("message", "octets of it are missing", "restore it from a backup")
def a_message_that_is_cut(office):
    with_mail(office)
    change_store(office, "DELETE FROM pieces")


@mistake("message", "it has lost its octets")
def a_message_without_a_body(office):
    with_mail(office)
    change_store(office, "UPDATE bodies SET refs = 0", "DELETE FROM bodies")


@mistake("message", "its UIDL is damaged", "officemail mail remove ani@kantor.example")
def a_message_without_a_UIDL(office):
    with_mail(office)
    change_store(office, "UPDATE entries SET uidl = 'a' || char(10) || '.'")


@mistake("octets of no message", "they only take room")
def octets_of_no_message(office):
    change_store(office, "INSERT INTO pieces (id, checksum, octets) VALUES (77 << 20, 0, x'00')")


@mistake("folder Inbox: counts", "the quota is judged by the wrong ones")
def counters_that_are_off(office):
    change_store(office, "UPDATE folders SET messages = messages + 1 WHERE name = 'Inbox'")


@mistake("body", "counts 2 messages, belongs to 1")
def a_body_that_counts_wrong(office):
    with_mail(office)
    change_store(office, "UPDATE bodies SET refs = 2")


@mistake("has no folder Junk", "officemail folder add")
def a_user_without_a_folder(office):
    change_store(office, "DELETE FROM folders WHERE name = 'Junk'")


@mistake("belongs to nothing in users")
def a_folder_of_nobody(office):
    change_store(office, "UPDATE folders SET user_id = 4711 WHERE name = 'Proyek'")


# ---- people

@mistake("there are no users", "officemail user add")
def no_users(office):
    for user in office.json("user", "list"):
        office.run("user", "remove", user["address"], "--yes")


@mistake("there are no users, and the office listens to the world")
def no_users_and_an_open_port(office):
    no_users(office)
    office.set("smtpd", "listen", f"0.0.0.0:{free_port()}")


@mistake("user tuti@lama.example: the domain is not among [office] domains")
def a_user_of_another_domain(office):
    office.set("office", "domains", "kantor.example cabang.example lama.example")
    office.run("user", "add", "tuti@lama.example", "--generate")
    office.set("office", "domains", "kantor.example cabang.example")


@mistake("alias info@lama.example: the domain is not among [office] domains")
def an_alias_of_another_domain(office):
    office.set("office", "domains", "kantor.example cabang.example lama.example")
    office.run("alias", "add", "info@lama.example", "ani@kantor.example")
    office.set("office", "domains", "kantor.example cabang.example")


@mistake("alias hantu@kantor.example leads to tiada@kantor.example, where nobody is", "officemail alias remove")
def an_alias_to_nowhere(office):
    change_store(office, "INSERT INTO aliases VALUES ('hantu@kantor.example', 'tiada@kantor.example')")


@mistake("alias satu@kantor.example leads to dua@kantor.example, and from there in circles")
def aliases_in_circles(office):
    change_store(office, "INSERT INTO aliases VALUES ('satu@kantor.example', 'dua@kantor.example'),"
                 " ('dua@kantor.example', 'satu@kantor.example')")


@mistake("[office] postmaster: hantu@kantor.example is nobody here", "officemail user add")
def a_postmaster_who_is_nobody(office):
    office.set("office", "postmaster", "hantu@kantor.example")


@mistake("[office] postmaster: ani@kantor.example cannot log in", "officemail user enable", warns=True)
def a_postmaster_who_cannot_log_in(office):
    office.run("user", "disable", "ani@kantor.example")


@mistake("the mailbox of ani@kantor.example is full", "officemail user quota")
def a_mailbox_that_is_full(office):
    with_mail(office)
    office.run("user", "quota", "ani@kantor.example", "100")


@mistake("the mailbox of ani@kantor.example is nearly full", warns=True)
def a_mailbox_that_is_nearly_full(office):
    with_mail(office)
    used = next(user for user in office.json("user", "list") if user["address"] == "ani@kantor.example")["used"]
    office.run("user", "quota", "ani@kantor.example", str(used * 100 // 95))


@mistake("there has never been a backup", "officemail backup FILE", warns=True)
def no_backup(office):
    change_store(office, "UPDATE users SET created = created - 864000")


@mistake("the last backup is 10 days old", warns=True)
def an_old_backup(office):
    change_store(office, "INSERT INTO meta VALUES ('last_backup', unixepoch() - 864000)")


OF_NOTHING = 0x2D06800538D394C2  # XXH3 of no octets
OUTGOING = ("INSERT INTO bodies (id, arrived, queue_id) VALUES (99, 0, 'Q1')",
            "INSERT INTO outgoing (id, body_id, size, kind, user_id, who, sender, queue_id, queued, checksum, prefix)"
            f" VALUES (1, 99, 0, 'sent', 0, '', '', 'Q1', unixepoch() - 20000, {OF_NOTHING}, x'')")


@mistake("mail for 1 recipient is held", "queue retry ID", warns=True)
def mail_that_is_held(office):
    change_store(office, *OUTGOING, "INSERT INTO recipients (outgoing_id, address, domain, state, next_try)"
                 " VALUES (1, 'a@luar.example', 'luar.example', 'held', 0)")


@mistake("mail for 1 recipient waits to leave, the oldest since", "officemail queue list", warns=True)
def mail_that_waits_for_long(office):
    change_store(office, *OUTGOING, "INSERT INTO recipients (outgoing_id, address, domain, next_try)"
                 " VALUES (1, 'a@luar.example', 'luar.example', 0)")


@mistake("outgoing message Q1 of <>: nobody waits for it", "officemail queue remove Q1")
def mail_for_nobody(office):
    change_store(office, *OUTGOING)
