// Decisions: nested, over lines, in macros and from macros, constant, in templates, in loops.
#include <cstdio>
#include <cstdlib>

#define BOTH(x, y) ((x) && (y))
#define ANY3(x, y, z) ((x) || (y) || (z))
#define CHECK(condition)                                                       \
  if (condition)                                                               \
    hits++;

static int hits;

template <typename T> bool inside(T x, T low, T high) {
  return x >= low && x <= high;
}

static int long_one(int a, int b, int c, int d, int e, int f) {
  if ((a && (b || c)) ||
      (d && !e) ||
      (f > 3 && ANY3(a, b, f > 10)))
    return 1;
  return 0;
}

static int constant(int a, int b) {
  if ((a && 1) || (0 && b) || b > 5)
    return 1;
  return a || false ? 2 : 3;
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc && (i < 10 || hits > 100); i++) {
    int n = std::atoi(argv[i]);
    CHECK(BOTH(n & 1, n & 2) || n > 20);
    CHECK(n == 7 || (n & 4 && BOTH(n & 8, n & 16)));
    hits += long_one(n & 1, n & 2, n & 4, n & 8, n & 16, n);
    hits += constant(n & 1, n);
    hits += inside(n, 2, 5) + inside(n / 2.0, 1.0, 4.0);
    bool both = n > 2 && n < 9, either = n < 0 || n > 15;
    hits += both ? 1 : either && !both ? 2 : 3;
  }
  std::printf("%d\n", hits);
}
