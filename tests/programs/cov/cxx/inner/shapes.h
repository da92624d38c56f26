#pragma once

#define SQUARE(x) ((x) * (x))

inline int clamp(int n) { return n > 5 ? 5 : n < 0 ? 0 : n; }

template <typename T> T scaled(T side) {
  T sum = 0;
  for (T i = 0; i < side; i++)
    sum += SQUARE(i);
  return sum;
}

int area(int side);
