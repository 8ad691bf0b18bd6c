#pragma once

/*
 * http_socket.h - a listening Unix socket at a path that one server holds at a time. Private to
 * http/.
 *
 * While it is open, PATH.lock beside it is locked: it decides between two programs that start at
 * the same moment and both find a stale socket. Nobody but the owner can open that file, so nobody
 * else can hold the lock. A lock file or socket left by kill -9 is taken over.
 */
#include "base/cleanup.h"
#include "base/err.h"

#include <sys/types.h>

struct http_socket;

/* -EADDRINUSE when another process serves @path; every failure with a sentence. */
int http_socket_open(const char *path, mode_t mode, struct http_socket **ret, struct err *err);
/* Hands the listening descriptor (non-blocking) to the caller, once. */
int http_socket_take_fd(struct http_socket *sock);
/* Removes the socket's file, unless somebody has put another in its place, and unlocks. Accepts
   NULL, returns NULL. */
struct http_socket *http_socket_close(struct http_socket *sock);
DEFINE_CLEANUP(struct http_socket *, http_socket_close);
