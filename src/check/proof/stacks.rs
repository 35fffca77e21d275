//! What a call must come back to: stacks of frames, each kept once.

use std::collections::HashMap;

use super::entries::Entry;
use crate::limits;

/// Something to come back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Frame {
    /// The state of this number, whose level was missing.
    StepUp(usize),
    /// A state that had handed over, whose specialist asked for more.
    Agent(usize),
    /// Whoever called the sub-flow.
    Caller(Entry),
}

/// A stack, by its number; 0 is empty.
pub(super) type Stack = usize;

/// All stacks so far.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    /// The stack below, the frame on top, and how many frames there are; of stack `n` at `n - 1`.
    stacks: Vec<(Stack, Frame, usize)>,
    known: HashMap<(Stack, Frame), Stack>,
}

impl Stacks {
    /// The top frame and what is below.
    pub(super) fn pop(&self, stack: Stack) -> Option<(Frame, Stack)> {
        let (below, frame, _) = self.stacks.get(stack.checked_sub(1)?)?;
        Some((*frame, *below))
    }

    /// With another frame on top; `None`: the machine gives up.
    pub(super) fn push(&mut self, stack: Stack, frame: Frame) -> Option<Stack> {
        let depth = stack.checked_sub(1).and_then(|n| self.stacks.get(n)).map_or(0, |(.., d)| *d);
        if depth >= limits::FRAMES_MAX {
            return None;
        }
        if let Some(stack) = self.known.get(&(stack, frame)) {
            return Some(*stack);
        }
        self.stacks.push((stack, frame, depth + 1));
        let new = self.stacks.len();
        self.known.insert((stack, frame), new);
        Some(new)
    }

    /// Remembers a state whose level is missing, or whose specialist asks for more. A step-up that was
    /// left without coming back is forgotten, and with it what came after, when its state is asked for
    /// again.
    pub(super) fn step_up(&mut self, stack: Stack, new: Frame) -> Option<Stack> {
        let base = self.base(stack, new);
        self.push(base, new)
    }

    /// How many states of the flow at hand are to be come back to.
    pub(super) fn own(&self, stack: Stack) -> usize {
        self.own_frames(stack).count()
    }

    /// The same, once this one is too.
    pub(super) fn own_with(&self, stack: Stack, new: Frame) -> usize {
        self.own(self.base(stack, new)) + 1
    }

    /// What stays below a state that is to be come back to.
    fn base(&self, stack: Stack, new: Frame) -> Stack {
        let again = self.own_frames(stack).filter(|(frame, _)| *frame == new).last();
        again.map_or(stack, |(_, below)| below)
    }

    /// The frames of the flow at hand, the top first, each with what is below.
    fn own_frames(&self, stack: Stack) -> impl Iterator<Item = (Frame, Stack)> {
        let own =
            |stack: Stack| self.pop(stack).filter(|(frame, _)| !matches!(frame, Frame::Caller(_)));
        std::iter::successors(own(stack), move |(_, below)| own(*below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_up_asked_for_again_forgets_what_came_after() {
        let mut stacks = Stacks::default();
        let call = stacks.push(0, Frame::Caller(9)).unwrap();
        let one = stacks.step_up(call, Frame::StepUp(1)).unwrap();
        let two = stacks.step_up(one, Frame::StepUp(2)).unwrap();
        assert_eq!(stacks.step_up(two, Frame::StepUp(1)), Some(one));
        assert_eq!(stacks.pop(two), Some((Frame::StepUp(2), one)));
        let inner = stacks.push(two, Frame::Caller(8)).unwrap();
        let again = stacks.step_up(inner, Frame::StepUp(1)).unwrap();
        assert_eq!(stacks.pop(again), Some((Frame::StepUp(1), inner)), "a flow forgets its own");
        assert_eq!(stacks.pop(0), None);
        assert_eq!([stacks.own(two), stacks.own(inner), stacks.own(again)], [2, 0, 1]);
        assert_eq!(stacks.own_with(two, Frame::StepUp(1)), 1);
        assert_eq!(stacks.own_with(two, Frame::StepUp(3)), 3);
    }
}
