// All of rescue.c, compiled as C++, and the endings that only C++ has.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <unistd.h>

// An argument vector of constants is no error in C, and a warning here.
#pragma clang diagnostic ignored "-Wwritable-strings"
#define main as_in_c
extern "C" {
#include "rescue.c"
}
#undef main

struct Guard {
  const char *how;
  ~Guard() {
    step();
    if (std::strcmp(how, "destructor") == 0) _exit(6);
    if (std::strcmp(how, "exit-in-destructor") == 0) std::exit(8);
  }
};

int main(int count, char **given) {
  if (count < 2) return 94;
  // A static object's destructor ends the process before the profile is written. 2 steps
  if (std::strcmp(given[1], "destructor") == 0) {
    static Guard last{given[1]};
    step();
    return 0;
  }
  // A local one's ends it in good order. 2 steps
  if (std::strcmp(given[1], "exit-in-destructor") == 0) {
    step();
    Guard local{given[1]};
    return 0;
  }
  // Nobody catches it. 1 step
  if (std::strcmp(given[1], "throw") == 0) {
    step();
    throw std::runtime_error("nobody catches this");
  }
  return as_in_c(count, given);
}
