#include "shapes.h"

static int local(int n) {
  return n % 2 == 0 ? SQUARE(n) : clamp(n);
}

int area(int side) {
  int sum = local(side) + local(side + 1);
  if (sum > 3 && side > 1)
    sum += scaled(side) + scaled(static_cast<long>(side));
  while (sum > 1000) sum /= 2;
  return sum;
}

int unused(int side) { return clamp(side) + scaled(side); }
