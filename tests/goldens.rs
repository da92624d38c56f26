//! Our merge of the committed raw profiles against what llvm-profdata made of them.
