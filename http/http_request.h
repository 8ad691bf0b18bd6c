#pragma once

/* http_request.h - how the server makes requests. Private to http/; its face is http_server.h. */
#include "http/http_server.h"

struct event_base;
struct evhttp_request;
struct http_conn;

/* Takes what is needed of @ev, which must be a whole request on @conn. -EINVAL: the path or the
   query makes no sense. */
int http_request_new(struct evhttp_request *ev, struct http_conn *conn, struct http_request **ret);
/* Its connection is gone, and the reply will go nowhere. May call the program. */
void http_request_detach(struct http_request *request, struct http_server *server);
/* The loop that the request came in. */
struct event_base *http_request_base(const struct http_request *request);
/* Hands over what a reply needs, and ends @request. Both are NULL when the client is gone. */
struct evhttp_request *http_request_take(struct http_request *request, struct http_conn **ret_conn);
/* The connection of @ev, which is not answered yet, is on its way out: frees what evhttp does not.
 */
void http_request_drop(struct evhttp_request *ev);
/* @content_type may be NULL. */
void http_request_add_headers(struct evhttp_request *ev, const char *content_type);
/* Answers what never reached the program. @text is a sentence. */
void http_request_refuse(struct evhttp_request *ev, int status, const char *text);
