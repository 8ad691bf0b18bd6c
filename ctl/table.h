#pragma once

/*
 * table.h - rows in columns that line up. A cell is never cut: one that is wider than its column's
 * limit pushes the rest of its own row aside and leaves the other rows alone.
 *
 * Cells are written: begin a row, then for each of its columns write to table_cell().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMN_MAX 40 /* the widest that a long value makes its column */

struct table;

struct table_column {
    const char *title;
    bool right; /* numbers */
};

/* @columns ends with a column whose title is NULL, and is borrowed. NULL: out of memory. */
struct table *table_new(const struct table_column *columns);
/* The stream of the next cell. The caller writes printable text to it, and does not close it. */
FILE *table_cell(struct table *table);
/* Prints titles and rows, each behind @indent blanks. False: out of memory. */
bool table_print(struct table *table, FILE *out, int indent);
struct table *table_free(struct table *table);
