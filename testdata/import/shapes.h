/* A function in a header: it is in the reports of both programs. */
static inline int area(int width, int height) {
    if (width < 0 || height < 0)
        return 0;
    return width * height;
}
