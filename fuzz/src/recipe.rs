//! Decisions from a fuzzer's bytes: which functions a binary has, and what its runs counted.

use bincover_profile::MAX_COUNT;
use bincover_testkit::raw::{Function, Shape};

/// Takes decisions from bytes; zeros when there are no more.
pub(crate) struct Recipe<'a>(&'a [u8]);

impl<'a> Recipe<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What no decision was taken from yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }

    pub(crate) fn half(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    /// So many bytes, or as many as there are.
    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        head
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// Up to eight functions, all counts zero. Different functions may share a hash.
    pub(crate) fn binary(&mut self) -> Vec<Function> {
        let count = 1 + self.below(8);
        let function = |index: usize| {
            let mut function =
                Function::new(&format!("f{index}"), u64::from(self.byte()) << 56, []);
            function.counts = vec![0; 1 + self.below(5)];
            function.bitmap = vec![0; self.below(4)];
            // Sizes of memory operations: the kind that needs no addresses.
            function.values[1] = vec![Vec::new(); self.below(3)];
            function
        };
        (0..count).map(function).collect()
    }

    /// A run: some of the functions, in any format.
    pub(crate) fn run(&mut self, binary: &[Function]) -> (Shape, Vec<Function>) {
        let shapes: Vec<Shape> = Shape::all().filter(Shape::has_bitmaps).collect();
        let shape = shapes[self.below(shapes.len())];
        let mask = self.byte();
        let mut functions: Vec<Function> = binary
            .iter()
            .enumerate()
            .filter(|(index, _)| mask >> index & 1 == 0)
            .map(|(_, function)| function.clone())
            .collect();
        for function in &mut functions {
            function.counts.fill_with(|| self.count());
            function.bitmap.fill_with(|| self.byte());
            for site in &mut function.values[1] {
                // Each value once: a real runtime counts a value in one place.
                *site = (0..self.below(4))
                    .map(|value| (value as u64, self.count()))
                    .collect();
                let turn = self.below(4).min(site.len());
                site.rotate_left(turn);
            }
        }
        (shape, functions)
    }

    /// Mostly small, now and then at one of the bounds; never one of the marks.
    pub(crate) fn count(&mut self) -> u64 {
        match self.byte() {
            small @ ..0xf0 => u64::from(small),
            near @ 0xf0..0xf8 => MAX_COUNT - u64::from(near - 0xf0),
            near @ 0xf8.. => (1 << 56) + u64::from(near) - 0xfc,
        }
    }
}
