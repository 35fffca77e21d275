//! The names that a text looks up where it has not surely set them before.
//!
//! minijinja tells most of them, but not what a piece is cut out of (`{{ sum[:2] }}`), what is given its own name anew
//! (`{% set sum = sum + 1 %}`), or what the filter of a block is given. So what it has compiled is followed, once from
//! the beginning to the end: it jumps back to the head of a loop alone, where nothing more is set than before.

use std::collections::{BTreeSet, HashMap, HashSet};

use minijinja::Template;
use minijinja::machinery::{Instruction, get_compiled_template};

use super::super::ACCOUNT;

/// What is surely set at a place, in each block that is open there: the text itself, then its loops and `with`.
type Set<'t> = Vec<HashSet<&'t str>>;

pub(super) fn names(compiled: &Template<'_, '_>) -> BTreeSet<String> {
    let mut names: BTreeSet<_> = compiled.undeclared_variables(true).into_iter().collect();
    let instructions = &get_compiled_template(compiled).instructions;
    let mut set = vec![HashSet::new()];
    // By the place that a jump leads to.
    let mut jumps: HashMap<u32, Set<'_>> = HashMap::new();
    let mut comes_here = true;
    for at in 0.. {
        if let Some(there) = jumps.remove(&at) {
            set = if comes_here { of_both(set, &there) } else { there };
            comes_here = true;
        }
        let Some(instruction) = instructions.get(at) else { break };
        match instruction {
            Instruction::PushLoop(_) => set.push(HashSet::from(["loop"])),
            Instruction::PushWith => set.push(HashSet::new()),
            Instruction::PopFrame | Instruction::PopLoopFrame => {
                set.pop();
            }
            Instruction::StoreLocal(name) => {
                if let Some(block) = set.last_mut() {
                    block.insert(*name);
                }
            }
            Instruction::Lookup(name) if set.iter().any(|block| block.contains(name)) => {}
            Instruction::Lookup(name) => {
                names.insert(match instructions.get(at + 1) {
                    Some(Instruction::GetAttr(field)) if *name == ACCOUNT => {
                        format!("{ACCOUNT}.{field}")
                    }
                    _ => (*name).to_owned(),
                });
            }
            Instruction::Jump(to)
            | Instruction::Iterate(to)
            | Instruction::JumpIfFalse(to)
            | Instruction::JumpIfFalseOrPop(to)
            | Instruction::JumpIfTrueOrPop(to) => {
                comes_here = !matches!(instruction, Instruction::Jump(_));
                if *to > at {
                    let there = jumps.remove(to);
                    let there = there.map_or_else(|| set.clone(), |there| of_both(there, &set));
                    jumps.insert(*to, there);
                }
            }
            _ => {}
        }
    }
    names
}

/// What is set whichever way led there.
fn of_both<'t>(mut one: Set<'t>, other: &Set<'t>) -> Set<'t> {
    for (block, other) in one.iter_mut().zip(other) {
        block.retain(|name| other.contains(name));
    }
    one
}

#[cfg(test)]
mod tests {
    use super::super::{TEXT, environment};
    use super::*;

    /// What a text does not set itself it takes from the call, wherever it stands in it.
    #[test]
    fn every_name_that_is_looked_up_is_used() {
        for (source, expected) in [
            ("{{ a[:2] }}", "a"),
            ("{{ (a ~ b)[b:c] }}", "a b c"),
            ("{{ account.x[1:] }}", "account.x"),
            ("{{ account[1:] }}", "account"),
            ("{% set a = a | int(0) %}{{ a + 1 }}", "a"),
            ("{% set a %}{{ a }}!{% endset %}{{ a }}", "a"),
            ("{% set a, b = b, a %}{{ a }}{{ b }}", "a b"),
            ("{% set account = account.x %}{{ account }}", "account.x"),
            ("{% with a = a %}{{ a }}{% endwith %}", "a"),
            ("{% for a in a %}{{ a }}{% endfor %}", "a"),
            ("{% filter replace(a, account.x) %}word{% endfilter %}", "a account.x"),
            ("{% for a in b %}{{ loop.index }}{{ a }}{% else %}{{ c }}{% endfor %}", "b c"),
            ("{% if a %}{% set b = 1 %}{% else %}{{ b }}{% endif %}", "a b"),
            ("{% set a = 1 %}{{ a }}{% set a = a + 1 %}{{ a }}", ""),
            // Only what is set on every way is set.
            ("{% if a %}{% set b = 'x' %}{{ b[:1] }}{% else %}{{ b[:2] }}{% endif %}", "a b"),
            ("{% if a %}{% set b = 'x' %}{% endif %}{{ b[:2] }}", "a b"),
            (
                "{% if a %}{% set b = 'x' %}{% elif c %}{% set b = 'y' %}{% else %}{% set b = 'z' %}{% endif %}\
                 {% set b = b[:1] %}",
                "a c",
            ),
            ("{% for b in a %}{{ b[:1] }}{% endfor %}{{ b[:2] }}", "a b"),
            ("{% for b in a %}{% set c = 'x' %}{% else %}{{ c[:1] }}{% endfor %}", "a c"),
            ("{% for b in a if b[:1] == c[:1] %}{{ b[1:] }}{% endfor %}", "a c"),
            ("{% with b = 'x' %}{{ b[:1] }}{% endwith %}{{ b[:2] }}", "b"),
            ("{% set b = 'x' %}{% with c = b[:1] %}{{ c[:1] }}{% endwith %}{{ b[:2] }}", ""),
            ("{{ loop[:2] }}{% for a in 'x' %}{{ loop.index }}{% endfor %}", "loop"),
            ("{% if a and b[:1] or c[:1] %}{% set d = 'x' %}{% endif %}{{ d[:1] }}", "a b c d"),
        ] {
            let mut environment = environment();
            environment.add_template(TEXT, source).unwrap();
            let names = names(&environment.get_template(TEXT).unwrap());
            assert_eq!(names.into_iter().collect::<Vec<_>>().join(" "), expected, "{source}");
        }
    }
}
