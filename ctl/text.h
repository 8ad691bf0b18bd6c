#pragma once

/*
 * text.h - values as people read them. What comes from outside never reaches the terminal raw:
 * control characters (C0, DEL, C1) and bytes that are not UTF-8 are written as \xNN.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void text_write(FILE *out, const char *bytes, size_t len);
void text_write_string(FILE *out, const char *string);

/* How many columns @text takes, one a code point. */
size_t text_width(const char *text);

/* A JSON value in words: a string as it is, a number in decimal, an array as a shell would read it
   (a command), "-" for null and absent, an object with a "name" or "uid" as that, else as JSON. */
void text_write_json(FILE *out, const json_t *value);
/* The same of @object's @key. */
void text_write_field(FILE *out, const json_t *object, const char *key);

/* The number at @key; false when it is null, absent or no number. */
bool text_get_number(const json_t *object, const char *key, int64_t *ret);
/* The string at @key, or NULL. Borrowed. */
const char *text_get_string(const json_t *object, const char *key);
/* The time at @key (RFC 3339, UTC) in microseconds since 1970; false when it is null or none. */
bool text_get_time_us(const json_t *object, const char *key, uint64_t *ret);

void text_write_bytes(FILE *out, int64_t bytes); /* "512", "1.2M" */
void text_write_cpu_time(FILE *out, int64_t us); /* "0.012s", "12m03s" */
void text_write_plural(FILE *out, int64_t count, const char *one, const char *many);

/* For a value inside an address: everything but letters, digits and "-._~" as %NN. */
void text_write_escaped_query(FILE *out, const char *value);
