/* Decisions for MC/DC: two, three and six conditions, nested, in a macro, and one that is constant. */
#include <stdio.h>
#include <stdlib.h>

#define BOTH(x, y) ((x) && (y))

int two(int a, int b) { return a && b; }

int three(int a, int b, int c) {
  if ((a && b) || c)
    return 1;
  return 0;
}

int six(int a, int b, int c, int d, int e, int f) {
  if ((a || b) && (c || !d) && (e || f))
    return 1;
  return 0;
}

int in_macro(int a, int b, int c) {
  if (BOTH(a, b) || c)
    return 1;
  return 0;
}

int with_constant(int a) {
  if (a && 1 && a < 5)
    return 1;
  return 0;
}

int loop(int n) {
  int sum = 0;
  for (int i = 0; i < n && (sum < 10 || n == 7); i++)
    sum += three(i & 1, i & 2, two(i & 1, i > 2));
  return sum;
}

int never_called(int a, int b) { return a || b; }

int main(int argc, char **argv) {
  int total = 0;
  for (int i = 1; i < argc; i++) {
    int n = atoi(argv[i]);
    total += two(n & 1, n & 2) + three(n & 1, n & 2, n & 4) + in_macro(n & 1, n & 2, n & 4);
    total += six(n & 1, n & 2, n & 4, n & 8, n & 16, n & 32) + with_constant(n) + loop(n);
  }
  printf("%d\n", total);
  return 0;
}
