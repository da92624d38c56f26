/* A small program for coverage: loops, a switch, branches, a macro, a header, an unused function. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define SQUARE(x) ((x) * (x))
#define LIMIT_TO(x, top) ((x) > (top) ? (top) : (x))

static int is_small_odd(int n) {
  return n > 0 && n < 10 && (n % 2 == 1 || n == 4);
}

const char *classify(int n) {
  switch (n) {
  case 0:
    return "zero";
  case 1:
  case 2:
    return "one or two";
  case 99:
    break;
  default:
    if (n < 0)
      return "negative";
    return is_small_odd(n) ? "small odd" : "other";
  }
  return "ninety-nine";
}

int collatz(int n) {
  int steps = 0;
  while (n > 1) {
    n = n % 2 ? 3 * n + 1 : n / 2;
    if (++steps > 100)
      goto out;
  }
out:
  return steps;
}

int never_called(int n) {
  do {
    n--;
  } while (n > 0);
  return n;
}

int main(int argc, char **argv) {
  int total = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "stop") == 0)
      break;
    int n = atoi(argv[i]);
    if (!n)
      continue;
    total += clamp(SQUARE(n), 50);
    total = LIMIT_TO(total, 1000);
    printf("%d: %s, %d steps\n", n, classify(n), collatz(n));
  }
  printf("%d\n", total);
  return 0;
}
