#pragma once

/* http_stream.h - what a connection tells the stream on it. Private to http/; its face is
   http_server.h. */
#include "http/http_server.h"

/* All that was written is in the socket. Calls the program from the loop, not from here. */
void http_stream_drained(struct http_stream *stream);
/* Its connection is gone, and what is written will go nowhere. Calls the program. */
void http_stream_detach(struct http_stream *stream, struct http_server *server);
