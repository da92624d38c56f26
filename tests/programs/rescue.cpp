// As rescue.c, for what only C++ does.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <unistd.h>

extern "C" __attribute__((noinline)) void step() {}

struct Last {
  const char *how;
  ~Last() {
    step();
    if (std::strcmp(how, "destructor") == 0) _exit(6);
  }
};

int main(int count, char **args) {
  if (count < 2) return 94;
  static Last last{args[1]};
  step();
  // A static object's destructor ends the process before the profile is written. 2 steps
  if (std::strcmp(args[1], "destructor") == 0) return 0;
  // Nobody catches it. 1 step
  if (std::strcmp(args[1], "throw") == 0) throw std::runtime_error("nobody catches this");
  return 84;
}
