//! Other names for files.

use std::collections::BTreeMap;

use bstr::BString;

use crate::unite::Several;
use crate::{Coverage, File, FileId, FunctionId, LocalFile};

impl Coverage {
    /// Gives each file the name at its place. Those that have one name then are one file.
    ///
    /// Where LLVM's regions are known, what was found in each is taken together as LLVM does it
    /// for one file: functions that start at one place are instantiations of one. Else what is
    /// known of lines and outcomes of branches adds up, functions of which no more is known than
    /// their name and line are one if both are the same, and the file is counted again. What cannot
    /// be counted again, as statements of which the blocks are not known, is as in the one that has
    /// most.
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
        let mut several: BTreeMap<FileId, Several> = BTreeMap::new();
        for (new, (name, places)) in (0..=u32::MAX).map(FileId).zip(by_name) {
            let mut parts = Vec::with_capacity(places.len());
            for (id, part) in places {
                renumbered[id.0 as usize] = new;
                parts.push(part);
            }
            let mut file = File::default();
            match parts.len() {
                1 => file = parts.remove(0),
                _ => {
                    let uses = Vec::new();
                    several.insert(new, Several { parts, uses });
                }
            }
            file.name = name;
            self.files.push(file);
        }
        let functions = self.functions.iter_mut();
        for id in functions.flat_map(|function| &mut function.files) {
            *id = renumbered[id.0 as usize];
        }
        for (number, function) in (0..=u32::MAX).map(FunctionId).zip(&self.functions) {
            for (local, file) in (0..=u32::MAX).map(LocalFile).zip(&function.files) {
                if let Some(one) = several.get_mut(file) {
                    one.uses.push((number, local));
                }
            }
        }
        let mut same = BTreeMap::new();
        for (id, one) in several {
            let name = std::mem::take(&mut self.files[id.0 as usize].name);
            let file = match one.is_of_llvm(&self.functions) {
                true => one.instantiated(&self.functions),
                false => one.added_up(id, &mut self.functions, &mut same),
            };
            self.files[id.0 as usize] = File { name, ..file };
        }
        self.without_doubles(&same);
        self
    }

    /// Takes out functions for which there are others.
    fn without_doubles(&mut self, same: &BTreeMap<FunctionId, FunctionId>) {
        if same.is_empty() {
            return;
        }
        let mut new = Vec::with_capacity(self.functions.len());
        let mut kept = Vec::new();
        let old = std::mem::take(&mut self.functions);
        for (id, function) in (0..=u32::MAX).map(FunctionId).zip(old) {
            new.push(FunctionId(u32::try_from(kept.len()).unwrap_or(u32::MAX)));
            if !same.contains_key(&id) {
                kept.push(function);
            }
        }
        self.functions = kept;
        for file in &mut self.files {
            let groups = file.groups.iter_mut().chain(&mut file.excluded.groups);
            let groups = groups.flat_map(|group| &mut group.members);
            let ids = file.functions.iter_mut().chain(groups);
            let expansions = file.expansions.iter_mut();
            let ids = ids.chain(expansions.map(|expansion| &mut expansion.function));
            for id in ids.chain(file.mcdc.iter_mut().map(|mcdc| &mut mcdc.function)) {
                let one = same.get(id).unwrap_or(id);
                *id = new[one.0 as usize];
            }
        }
    }
}
