//! Graphs over numbered nodes: what can be reached, and what goes round.

use std::collections::VecDeque;

/// A directed graph; nodes are numbers from 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    next: Vec<Vec<usize>>,
}

impl Graph {
    /// A graph of this many nodes, without edges.
    pub(super) fn new(nodes: usize) -> Self {
        Self { next: vec![Vec::new(); nodes] }
    }

    /// Adds an edge. One that is there is there twice then: to look for it would cost more than it does.
    pub(super) fn add(&mut self, from: usize, to: usize) {
        if to < self.next.len()
            && let Some(next) = self.next.get_mut(from)
        {
            next.push(to);
        }
    }

    /// Every edge.
    pub(super) fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let nodes = self.next.iter().enumerate();
        nodes.flat_map(|(from, next)| next.iter().map(move |to| (from, *to)))
    }

    /// Where the edges of a node lead.
    pub(super) fn next(&self, node: usize) -> &[usize] {
        self.next.get(node).map_or(&[], Vec::as_slice)
    }

    /// The same edges the other way round.
    pub(super) fn reversed(&self) -> Self {
        let mut reversed = Self::new(self.next.len());
        for (from, next) in self.next.iter().enumerate() {
            for to in next {
                reversed.add(*to, from);
            }
        }
        reversed
    }

    /// Which nodes can be reached from these, themselves included.
    pub(super) fn reach(&self, from: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut reached = vec![false; self.next.len()];
        let mut wanted: Vec<_> = from.into_iter().collect();
        while let Some(node) = wanted.pop() {
            if let Some(seen) = reached.get_mut(node)
                && !std::mem::replace(seen, true)
            {
                wanted.extend(self.next(node));
            }
        }
        reached
    }

    /// The strongly connected components, each in the order of its nodes.
    pub(super) fn components(&self) -> Vec<Vec<usize>> {
        // Kosaraju's way: nodes by the time they are left, then what leads to each.
        let mut order = Vec::new();
        let mut seen = vec![false; self.next.len()];
        for root in 0..self.next.len() {
            let mut path = vec![(root, false)];
            while let Some((node, left)) = path.pop() {
                if left {
                    order.push(node);
                } else if let Some(known) = seen.get_mut(node)
                    && !std::mem::replace(known, true)
                {
                    path.push((node, true));
                    path.extend(self.next(node).iter().map(|next| (*next, false)));
                }
            }
        }
        let reversed = self.reversed();
        let mut taken = vec![false; self.next.len()];
        let mut components = Vec::new();
        for root in order.into_iter().rev() {
            let mut component = Vec::new();
            let mut wanted = vec![root];
            while let Some(node) = wanted.pop() {
                if let Some(known) = taken.get_mut(node)
                    && !std::mem::replace(known, true)
                {
                    component.push(node);
                    wanted.extend(reversed.next(node));
                }
            }
            if !component.is_empty() {
                component.sort_unstable();
                components.push(component);
            }
        }
        components
    }

    /// The components that go round: more than one node, or one that leads to itself.
    pub(super) fn cycles(&self) -> Vec<Vec<usize>> {
        let mut cycles = self.components();
        cycles.retain(|component| match component.as_slice() {
            [node] => self.next(*node).contains(node),
            _ => true,
        });
        cycles
    }

    /// A shortest way from a node of a cycle round to itself, its nodes in order. `within` are the nodes
    /// of that cycle, in the order of their numbers; a step to a node that is `passing` counts for nothing.
    pub(super) fn round(
        &self,
        from: usize,
        within: &[usize],
        passing: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut came: Vec<Option<usize>> = vec![None; within.len()];
        // How far a node is when it is come to; of two ways to it the shorter is taken up first.
        let mut done = vec![false; within.len()];
        let mut wanted = VecDeque::from([(from, None)]);
        while let Some((node, before)) = wanted.pop_front() {
            let Ok(at) = within.binary_search(&node) else { continue };
            if node == from && before.is_some() {
                return Self::back(&came, within, before);
            }
            if done.get_mut(at).is_none_or(|done| std::mem::replace(done, true)) {
                continue;
            }
            if let Some(came) = came.get_mut(at) {
                *came = before;
            }
            for next in self.next(node) {
                let known = within.binary_search(next).ok().and_then(|at| done.get(at)).copied();
                if *next == from || known == Some(false) {
                    if passing(*next) {
                        wanted.push_front((*next, Some(node)));
                    } else {
                        wanted.push_back((*next, Some(node)));
                    }
                }
            }
        }
        Vec::new()
    }

    /// The nodes on the way to the last.
    fn back(came: &[Option<usize>], within: &[usize], last: Option<usize>) -> Vec<usize> {
        let before = |node: &usize| came.get(within.binary_search(node).ok()?).copied().flatten();
        let mut way: Vec<_> = std::iter::successors(last, before).collect();
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: usize, edges: &[(usize, usize)]) -> Graph {
        let mut graph = Graph::new(nodes);
        for (from, to) in edges {
            graph.add(*from, *to);
        }
        graph
    }

    #[test]
    fn what_goes_round_is_found() {
        let graph = graph(6, &[(0, 1), (1, 2), (2, 1), (2, 3), (3, 4), (4, 4), (5, 0)]);
        let mut cycles = graph.cycles();
        cycles.sort();
        assert_eq!(cycles, [vec![1, 2], vec![4]]);
        assert_eq!(graph.components().len(), 5);
        assert_eq!(graph.reach([2]), [false, true, true, true, true, false]);
        assert_eq!(graph.round(1, &[1, 2], |_| false), [1, 2]);
        assert_eq!(graph.round(4, &[4], |_| false), [4]);
    }

    #[test]
    fn what_is_passed_through_makes_a_way_no_longer() {
        let graph = graph(6, &[(0, 1), (1, 2), (2, 0), (0, 3), (3, 4), (4, 5), (5, 0)]);
        let all = [0, 1, 2, 3, 4, 5];
        assert_eq!(graph.round(0, &all, |_| false), [0, 1, 2]);
        assert_eq!(graph.round(0, &all, |node| (3..=5).contains(&node)), [0, 3, 4, 5]);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let edges: Vec<_> = (0..99_999).map(|node| (node, node + 1)).collect();
        assert_eq!(graph(100_000, &edges).components().len(), 100_000);
    }
}
