#pragma once

/* http_request.h - how the server makes requests. Private to http/; its face is http_server.h. */
#include "http/http_server.h"

struct evhttp_request;
struct http_conn;

/* Takes what is needed of @ev, which must be a whole request on @conn. -EINVAL: the path or the
   query makes no sense. */
int http_request_new(struct evhttp_request *ev, struct http_conn *conn, struct http_request **ret);
/* Its connection is gone, and the reply will go nowhere. May call the program. */
void http_request_detach(struct http_request *request, struct http_server *server);
/* Answers what never reached the program. @text is a sentence. */
void http_request_refuse(struct evhttp_request *ev, int status, const char *text);
