/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/* Growing texts, tables for people, and the nearest name. */
#include "fare_test.h"

#include <stdlib.h>

static void texts_grow(void **state)
{
  fare_text text = {0};

  (void)state;
  fare_text_add(&text, "%s", "");
  assert_string_equal(text.text, "");
  for (int i = 0; i < 1000; i++) fare_text_add(&text, "%03d,", i);
  assert_int_equal(text.length, 4000);
  assert_memory_equal(text.text + 4 * 517, "517,", 4);
  assert_int_equal(text.text[text.length], '\0');
  fare_text_free(&text);
  assert_null(text.text);
  fare_text_free(&text);
}

static void print(fare_table *table, char **text)
{
  size_t size = 0;
  FILE  *to   = open_memstream(text, &size);

  fare_table_print(table, to);
  fare_table_destroy(&table);
  assert_null(table);
  fclose(to);
}

/* Numbers go right, words left, and characters of two bytes count once. */
static void tables_align(void **state)
{
  static const char *const cells[] = {
    "name", "value", "what", "a", "1.5", "first", "gr\303\266\303\237er", "-1e-10", "", "c", "-", "last one"};
  fare_table *table;
  char       *text;

  (void)state;
  fare_table_create(3, &table);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cells); i++) fare_table_cell(table, "%s", cells[i]);
  print(table, &text);
  assert_string_equal(text,
    "name     value  what\n"
    "a          1.5  first\n"
    "gr\303\266\303\237er  -1e-10  \n"
    "c            -  last one\n");
  free(text);
}

/* Digits end where the error begins. */
static void errors_in_brackets(void **state)
{
  static const struct {
    double      value, error;
    const char *shown;
  } cases[] = {{1.565231e-7, 2.9e-9, "1.565(29)e-07"}, {9.5535874e-10, 8.5e-17, "9.553587e-10"},
    {0.0165101, 1e-4, "1.651(10)e-02"}, {1.0, 0.25, "1.00(25)"}, {9.996, 0.0996, "1.000(10)e+01"},
    {-12.345, 1.05, "-1.23(11)e+01"}, {1.020452e-9, 0, "1.020452e-09"}, {1.020452e-9, NAN, "1.020452e-09"},
    {9.99999e4, 3.0, "9.99999(30)e+04"}, {5e-3, 4e-3, "5.0(40)e-03"}};
  char *text;

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++) {
    fare_table *table;

    fare_table_create(1, &table);
    fare_table_measured(table, "", cases[i].value, cases[i].error);
    print(table, &text);
    text[strlen(text) - 1] = '\0';
    assert_string_equal(text, cases[i].shown);
    free(text);
  }
}

static void tables_without_rows(void **state)
{
  fare_table *table;
  char       *text;

  (void)state;
  fare_table_create(2, &table);
  print(table, &text);
  assert_string_equal(text, "");
  free(text);
}

static void nearest_names(void **state)
{
  static const char *const names[] = {"cells", "tolerance", "lower", "upper", "kT"};
#define NEAREST(word) fare_nearest(word, names, PETSC_STATIC_ARRAY_LENGTH(names))

  (void)state;
  assert_string_equal(NEAREST("cells"), "cells");
  assert_string_equal(NEAREST("cell"), "cells");
  assert_string_equal(NEAREST("celsl"), "cells");
  assert_string_equal(NEAREST("tolerence"), "tolerance");
  assert_string_equal(NEAREST("tolrance"), "tolerance");
  assert_string_equal(NEAREST("loewr"), "lower");
  assert_string_equal(NEAREST("uper"), "upper");
  assert_string_equal(NEAREST("kt"), "kT");
  assert_null(NEAREST("colour"));
  assert_null(NEAREST("x"));
  assert_null(NEAREST("particles"));
  assert_null(fare_nearest("cells", names, 0));
}

static void unknown_names(void **state)
{
  static const char *const names[] = {"kl", "wasserstein_1"};

  (void)state;
  assert_int_equal(fare_error_unknown("measure", "kk", names, 2), FARE_ERR_INPUT);
  assert_string_equal(
    fare_error_message(), "unknown measure 'kk' (did you mean 'kl'?); choose from: kl, wasserstein_1");
  assert_int_equal(fare_error_unknown("measure", "energy", names, 1), FARE_ERR_INPUT);
  assert_string_equal(fare_error_message(), "unknown measure 'energy'; choose from: kl");
}

/* The message kept last is the one that counts, and it is cut rather than overrun. */
static void messages_are_kept(void **state)
{
  char long_text[10000];

  (void)state;
  assert_int_equal(fare_error(FARE_ERR_INPUT, "%d apples", 3), FARE_ERR_INPUT);
  assert_string_equal(fare_error_message(), "3 apples");
  assert_int_equal(fare_error_agree(PETSC_COMM_WORLD, 0), 0);
  assert_int_equal(fare_error_agree(PETSC_COMM_WORLD, FARE_ERR_FAILED), FARE_ERR_FAILED);
  assert_string_equal(fare_error_message(), "3 apples");
  memset(long_text, 'x', sizeof long_text - 1);
  long_text[sizeof long_text - 1] = '\0';
  assert_int_equal(fare_error(FARE_ERR_FAILED, "%s", long_text), FARE_ERR_FAILED);
  assert_in_range(strlen(fare_error_message()), 1000, 5000);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(texts_grow),
  cmocka_unit_test(tables_align),
  cmocka_unit_test(errors_in_brackets),
  cmocka_unit_test(tables_without_rows),
  cmocka_unit_test(nearest_names),
  cmocka_unit_test(unknown_names),
  cmocka_unit_test(messages_are_kept),
};
FARE_TEST_MAIN(tests)
