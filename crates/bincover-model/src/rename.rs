//! Other names for files.

use std::collections::BTreeMap;

use bstr::BString;

use crate::{Coverage, File, FileId, LocalFile, Region, Summary, lines, segments, tally_lines};

impl Coverage {
    /// Gives each file the name at its place. Those that have one name then are one file: what was
    /// found in each is taken together, and functions that start at one place are instantiations
    /// of one.
    ///
    /// # Panics
    /// If there are not as many names as files.
    #[must_use]
    pub fn renamed(mut self, names: Vec<BString>) -> Self {
        assert_eq!(names.len(), self.files.len(), "a name for each file");
        let mut by_name: BTreeMap<BString, Vec<(FileId, File)>> = BTreeMap::new();
        let old = std::mem::take(&mut self.files);
        for ((id, name), file) in (0..=u32::MAX).map(FileId).zip(names).zip(old) {
            by_name.entry(name).or_default().push((id, file));
        }
        let count = by_name.values().map(Vec::len).sum();
        let mut renumbered = vec![FileId(0); count];
        let mut joined = Vec::new();
        for (new, (name, places)) in (0..=u32::MAX).map(FileId).zip(by_name) {
            if places.len() > 1 {
                joined.push(new);
            }
            let mut file = File::default();
            for (index, (id, part)) in places.into_iter().enumerate() {
                renumbered[id.0 as usize] = new;
                match index {
                    0 => file = part,
                    _ => file.absorb(part),
                }
            }
            file.name = name;
            self.files.push(file);
        }
        let functions = self.functions.iter_mut();
        for id in functions.flat_map(|function| &mut function.files) {
            *id = renumbered[id.0 as usize];
        }
        for id in joined {
            self.unite(id);
        }
        self
    }

    /// Makes one file of what was several: groups by place, and segments of all regions.
    fn unite(&mut self, id: FileId) {
        let file = &self.files[id.0 as usize];
        let mut groups = file.groups.clone();
        let mut of_groups = Summary::default();
        for group in &groups {
            of_groups += group.summary;
        }
        let is_sum_of_groups = of_groups == file.summary;
        // Stable, so that members stay in load order.
        groups.sort_by_key(|group| group.start);
        groups.dedup_by(|next, kept| {
            let is_same = next.start == kept.start;
            if is_same {
                let instantiations = kept.summary.instantiations + next.summary.instantiations;
                kept.summary = kept.summary.max(next.summary);
                kept.summary.instantiations = instantiations;
                kept.count = kept.count.wrapping_add(next.count);
                kept.members.append(&mut next.members);
            }
            is_same
        });
        let mut regions: Vec<Region> = Vec::new();
        let has_segments = !file.segments.is_empty();
        for function in &self.functions {
            for (local, _) in (0..).zip(&function.files).filter(|(_, file)| **file == id) {
                regions.extend_from_slice(function.regions_in(LocalFile(local)));
            }
        }
        let file = &mut self.files[id.0 as usize];
        let together = segments(&regions);
        // They are those lines that were listed before, unless regions are not what they seem.
        let is_listed = tally_lines(&together).total <= 2 * file.lines.len() as u64;
        if has_segments && !regions.is_empty() && is_listed {
            file.lines = lines(&together);
            file.segments = together;
        }
        if is_sum_of_groups {
            file.summary = Summary::default();
            for group in &groups {
                file.summary += group.summary;
            }
        }
        file.groups = groups;
    }
}
