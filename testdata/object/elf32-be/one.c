/* Two translation units that need no library, for every kind of object file. */
#define BOTH(a, b) ((a) && (b))
static int st(int x) { return x ? 3 : 4; }
static inline int unused(int y) { return y; }
int f(int x, int y) {
  int s = 0;
  for (int i = 0; i < x; i++)
    if (BOTH(i, y) || x > 3)
      s += st(i);
  return s;
}
int g(int x) { switch (x) { case 1: return 2; default: return 0; } }
