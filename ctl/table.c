#include "ctl/table.h"

#include "ctl/text.h"

#include <stdlib.h>
#include <string.h>

#define GAP 2

/* All cells stand one behind the other in one memory stream, each with its NUL. */
struct table {
    const struct table_column *columns;
    size_t columns_len;
    FILE *stream;
    char *bytes;
    size_t bytes_len;
    size_t cells_len;
};

struct table *table_new(const struct table_column *columns)
{
    struct table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->columns = columns;
    while (columns[table->columns_len].title)
        table->columns_len++;
    table->stream = open_memstream(&table->bytes, &table->bytes_len);
    if (!table->stream)
        return table_free(table);
    return table;
}

FILE *table_cell(struct table *table)
{
    if (table->cells_len++ > 0)
        (void) fputc('\0', table->stream);
    return table->stream;
}

static const char *next_cell(const char *cell)
{
    return cell + strlen(cell) + 1;
}

static void measure(const struct table *table, size_t *ret_widths)
{
    const char *cell = table->bytes;

    for (size_t c = 0; c < table->columns_len; c++)
        ret_widths[c] = strlen(table->columns[c].title);
    for (size_t i = 0; i < table->cells_len; i++, cell = next_cell(cell)) {
        size_t width = text_width(cell);
        size_t *widest = &ret_widths[i % table->columns_len];

        if (width > *widest && width <= TABLE_COLUMN_MAX)
            *widest = width;
    }
}

static void print_cell(const struct table *table, size_t column, const char *cell, size_t width,
                       FILE *out, int indent)
{
    size_t own = text_width(cell);
    int pad = own < width ? (int) (width - own) : 0;
    bool last = column + 1 == table->columns_len;
    bool right = table->columns[column].right;

    (void) fprintf(out, "%*s%s", (column == 0 ? indent : GAP) + (right ? pad : 0), "", cell);
    if (last)
        (void) fputc('\n', out);
    else if (!right)
        (void) fprintf(out, "%*s", pad, "");
}

bool table_print(struct table *table, FILE *out, int indent)
{
    size_t *widths;
    const char *cell;

    if (fflush(table->stream) != 0 || ferror(table->stream))
        return false;
    widths = calloc(table->columns_len, sizeof(*widths));
    if (!widths)
        return false;
    measure(table, widths);
    for (size_t c = 0; c < table->columns_len; c++)
        print_cell(table, c, table->columns[c].title, widths[c], out, indent);
    cell = table->bytes;
    for (size_t i = 0; i < table->cells_len; i++, cell = next_cell(cell)) {
        size_t column = i % table->columns_len;

        print_cell(table, column, cell, widths[column], out, indent);
    }
    free(widths);
    return true;
}

struct table *table_free(struct table *table)
{
    if (!table)
        return NULL;
    if (table->stream)
        (void) fclose(table->stream);
    free(table->bytes);
    free(table);
    return NULL;
}
