//! Graphs over numbered nodes: what can be reached, and what goes round.

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

    /// Adds an edge.
    pub(super) fn add(&mut self, from: usize, to: usize) {
        if to < self.next.len()
            && let Some(next) = self.next.get_mut(from)
            && !next.contains(&to)
        {
            next.push(to);
        }
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

    /// A shortest way from a node of a cycle round to itself, its nodes in order.
    pub(super) fn round(&self, from: usize) -> Vec<usize> {
        let mut came: Vec<Option<usize>> = vec![None; self.next.len()];
        let mut wanted = std::collections::VecDeque::from([from]);
        while let Some(node) = wanted.pop_front() {
            for next in self.next(node) {
                if *next == from {
                    return Self::back(&came, from, node);
                }
                if let Some(known @ None) = came.get_mut(*next) {
                    *known = Some(node);
                    wanted.push_back(*next);
                }
            }
        }
        Vec::new()
    }

    fn back(came: &[Option<usize>], from: usize, last: usize) -> Vec<usize> {
        let before = |node: &usize| {
            if *node == from { None } else { came.get(*node).copied().flatten() }
        };
        let mut way: Vec<_> = std::iter::successors(Some(last), before).collect();
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
        assert_eq!(graph.round(1), [1, 2]);
        assert_eq!(graph.round(4), [4]);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let edges: Vec<_> = (0..99_999).map(|node| (node, node + 1)).collect();
        assert_eq!(graph(100_000, &edges).components().len(), 100_000);
    }
}
