/* What systemd wants to know of a service (sd_notify(3)), without its library. */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/* "READY=1", "STOPPING=1", ...: to the service manager, where it listens. */
void notify_manager(const char *state);

#endif
