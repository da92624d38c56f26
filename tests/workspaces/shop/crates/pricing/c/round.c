/* Rounds to the nearest multiple of `step`, away from zero. */
long round_to(long cents, long step) {
    if (step <= 1) {
        return cents;
    }
    if (cents < 0) {
        return -round_to(-cents, step);
    }
    return (cents + step / 2) / step * step;
}
