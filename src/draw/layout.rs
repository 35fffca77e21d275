//! Boxes in layers from left to right, and lines that go round them.
//!
//! After Sugiyama, Tagawa and Toda (1981): lines that go back are turned round, every box stands to the
//! right of what leads to it, a line over several layers keeps a lane in each, and layers are sorted
//! until few lines cross. Lines to the same box share their lanes, so that what everything leads to
//! does not fill the picture.

use std::collections::{BTreeMap, BTreeSet};

/// Between two boxes of a layer.
const GAP: f64 = 22.0;
/// Between two lanes, or a lane and a box.
const LANE_GAP: f64 = 12.0;
/// Between two layers, at least.
const COLUMN_GAP: f64 = 64.0;
/// Between two layers, at most.
const COLUMN_GAP_MAX: f64 = 190.0;
/// How often layers are sorted.
const SWEEPS: usize = 24;
/// How often boxes are moved up and down.
const SETTLINGS: usize = 30;

/// A place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// How large a box is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A line from a box to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) from: usize,
    pub(super) to: usize,
    /// How far below the top of its box it leaves.
    pub(super) port: f64,
    /// Lines to the same box in the same bundle share their lanes.
    pub(super) bundle: u8,
}

/// Where everything is.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrangement {
    /// The top left of each box.
    pub(super) boxes: Vec<Point>,
    /// The points of each line; between two of them it is straight if they are level, else a curve.
    pub(super) lines: Vec<Vec<Point>>,
    /// Whether a line leaves its box on the left.
    pub(super) backward: Vec<bool>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A box, or a lane that a line keeps in a layer.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    layer: usize,
    size: Size,
    lane: bool,
    y: f64,
}

/// A piece of a line from a layer to the next, with how far below the tops it begins and ends.
#[derive(Clone, Copy, Debug)]
struct Link {
    left: usize,
    right: usize,
    left_port: f64,
    right_port: f64,
}

#[derive(Debug, Default)]
struct Sketch {
    nodes: Vec<Node>,
    links: Vec<Link>,
    /// The links of each node, in their order.
    links_of: Vec<Vec<usize>>,
    layers: Vec<Vec<usize>>,
}

/// Places boxes; lines enter a box `entry` below its top. The first box comes first.
pub(super) fn place(sizes: &[Size], lines: &[Line], entry: f64) -> Arrangement {
    let backward = backward(sizes.len(), lines);
    let mut sketch = Sketch::new(sizes, lines, &backward);
    let routes = sketch.route(lines, &backward, entry);
    sketch.sort();
    sketch.settle();
    sketch.layout(sizes.len(), lines, &routes, backward, entry)
}

/// How far a box has been looked at.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Not,
    Open,
    Done,
}

/// Which lines lead back to a box on the way to which they lie.
fn backward(boxes: usize, lines: &[Line]) -> Vec<bool> {
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); boxes];
    for (index, line) in lines.iter().enumerate() {
        if let Some(leaving) = leaving.get_mut(line.from) {
            leaving.push(index);
        }
    }
    let mut seen = vec![Seen::Not; boxes];
    let mut back = vec![false; lines.len()];
    for root in 0..boxes {
        if seen.get(root) != Some(&Seen::Not) {
            continue;
        }
        let mut path = vec![(root, 0)];
        set(&mut seen, root, Seen::Open);
        while let Some((node, next)) = path.last_mut() {
            let line = leaving.get(*node).and_then(|leaving| leaving.get(*next)).copied();
            *next += 1;
            let Some(line) = line else {
                set(&mut seen, *node, Seen::Done);
                path.pop();
                continue;
            };
            let Some(to) = lines.get(line).map(|line| line.to) else { continue };
            match seen.get(to) {
                Some(Seen::Not) => {
                    set(&mut seen, to, Seen::Open);
                    path.push((to, 0));
                }
                Some(Seen::Open) => set(&mut back, line, true),
                _ => {}
            }
        }
    }
    back
}

fn set<T>(all: &mut [T], index: usize, value: T) {
    if let Some(place) = all.get_mut(index) {
        *place = value;
    }
}

impl Sketch {
    fn new(sizes: &[Size], lines: &[Line], backward: &[bool]) -> Self {
        let mut layer = vec![0_usize; sizes.len()];
        // Every box to the right of what leads to it; each round settles one more layer at least.
        for _ in 0..sizes.len() {
            let mut moved = false;
            for (line, back) in lines.iter().zip(backward) {
                let (left, right) = ends(line, *back);
                let least = layer.get(left).map_or(0, |layer| layer + 1);
                if left != right && layer.get(right).is_some_and(|layer| *layer < least) {
                    set(&mut layer, right, least);
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        let node = |(size, layer): (&Size, usize)| Node { layer, size: *size, ..Node::default() };
        let nodes: Vec<_> = sizes.iter().zip(layer).map(node).collect();
        Self { nodes, ..Self::default() }
    }

    /// Gives every line its lanes: the nodes it goes through, from left to right.
    fn route(&mut self, lines: &[Line], backward: &[bool], entry: f64) -> Vec<Vec<usize>> {
        let mut lanes: BTreeMap<(usize, bool, u8, usize), usize> = BTreeMap::new();
        let mut known = BTreeSet::new();
        let mut routes = Vec::new();
        for (line, back) in lines.iter().zip(backward) {
            let (left, right) = ends(line, *back);
            let mut route = vec![left];
            let layer_of = |node: usize, nodes: &[Node]| nodes.get(node).map_or(0, |n| n.layer);
            for layer in layer_of(left, &self.nodes) + 1..layer_of(right, &self.nodes) {
                let lane =
                    *lanes.entry((line.to, *back, line.bundle, layer)).or_insert_with(|| {
                        self.nodes.push(Node { layer, lane: true, ..Node::default() });
                        self.nodes.len() - 1
                    });
                route.push(lane);
            }
            route.push(right);
            if left != right {
                let (first, last) = if *back { (entry, line.port) } else { (line.port, entry) };
                let steps = route.len() - 1;
                for (step, pair) in route.windows(2).enumerate() {
                    let [a, b] = pair else { continue };
                    let left_port = if step == 0 { first } else { 0.0 };
                    let right_port = if step + 1 == steps { last } else { 0.0 };
                    let shared = step > 0 && step + 1 < steps;
                    if !shared || known.insert((*a, *b)) {
                        self.links.push(Link { left: *a, right: *b, left_port, right_port });
                    }
                }
            }
            routes.push(route);
        }
        let layers = self.nodes.iter().map(|node| node.layer + 1).max().unwrap_or_default();
        self.layers = vec![Vec::new(); layers];
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(layer) = self.layers.get_mut(node.layer) {
                layer.push(index);
            }
        }
        self.links_of = vec![Vec::new(); self.nodes.len()];
        for (index, link) in self.links.iter().enumerate() {
            for end in [link.left, link.right] {
                if let Some(links) = self.links_of.get_mut(end) {
                    links.push(index);
                }
            }
        }
        routes
    }

    fn links_of(&self, node: usize) -> impl Iterator<Item = &Link> {
        let links = self.links_of.get(node).into_iter().flatten();
        links.filter_map(|index| self.links.get(*index))
    }

    fn node(&self, index: usize) -> Node {
        self.nodes.get(index).copied().unwrap_or_default()
    }

    /// Sorts the layers, each by where its neighbours stand, and keeps the order with fewest crossings.
    fn sort(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        let mut ranks = self.ranks();
        for sweep in 0..SWEEPS {
            let rightward = sweep % 2 == 0;
            let order: Vec<_> = if rightward {
                (1..self.layers.len()).collect()
            } else {
                (0..self.layers.len().saturating_sub(1)).rev().collect()
            };
            for layer in order {
                let nodes = self.layers.get(layer).into_iter().flatten();
                let mut nodes: Vec<_> =
                    nodes.map(|node| (self.mean(*node, rightward, &ranks), *node)).collect();
                nodes.sort_by(|(a, _), (b, _)| a.total_cmp(b));
                let mut rank = 0.0;
                for (_, node) in &nodes {
                    set(&mut ranks, *node, rank);
                    rank += 1.0;
                }
                set(&mut self.layers, layer, nodes.into_iter().map(|(_, node)| node).collect());
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    /// Where the neighbours of a node stand that are in the layer before it (or after it) in the mean; without any
    /// it stays where it is.
    fn mean(&self, node: usize, rightward: bool, ranks: &[f64]) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for link in self.links_of(node) {
            let (own, other, port) = if rightward {
                (link.right, link.left, link.left_port)
            } else {
                (link.left, link.right, link.right_port)
            };
            if own == node {
                let height = self.node(other).size.height.max(1.0);
                sum += ranks.get(other).copied().unwrap_or_default() + port / height;
                count += 1.0;
            }
        }
        if count > 0.0 { sum / count } else { ranks.get(node).copied().unwrap_or_default() }
    }

    /// Where each node stands in its layer.
    fn ranks(&self) -> Vec<f64> {
        let mut ranks = vec![0.0; self.nodes.len()];
        for layer in &self.layers {
            let mut rank = 0.0;
            for node in layer {
                set(&mut ranks, *node, rank);
                rank += 1.0;
            }
        }
        ranks
    }

    fn crossings(&self) -> usize {
        let ranks = self.ranks();
        let rank = |node: usize, port: f64| {
            let height = self.node(node).size.height.max(1.0);
            ranks.get(node).copied().unwrap_or_default() + port / height * 0.9
        };
        let mut by_layer: Vec<Vec<(f64, f64)>> = vec![Vec::new(); self.layers.len()];
        for link in &self.links {
            if let Some(links) = by_layer.get_mut(self.node(link.left).layer) {
                links.push((rank(link.left, link.left_port), rank(link.right, link.right_port)));
            }
        }
        by_layer.iter().map(|links| crossings(links)).sum()
    }

    /// Moves the nodes of each layer to where their lines are as level as the order allows.
    fn settle(&mut self) {
        for layer in self.layers.clone() {
            let mut y = 0.0;
            let mut before: Option<Node> = None;
            for index in layer {
                let node = self.node(index);
                if let Some(before) = before {
                    y += before.size.height + gap(&before, &node);
                }
                if let Some(node) = self.nodes.get_mut(index) {
                    node.y = y;
                }
                before = Some(node);
            }
        }
        let count = self.layers.len();
        for round in 0..SETTLINGS {
            let mut order: Vec<_> = (0..count).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for layer in order {
                let Some(nodes) = self.layers.get(layer).cloned() else { continue };
                let wanted: Vec<_> = nodes.iter().map(|node| self.wanted(*node)).collect();
                let gaps: Vec<_> = nodes
                    .windows(2)
                    .filter_map(|pair| match pair {
                        [a, b] => {
                            let (a, b) = (self.node(*a), self.node(*b));
                            Some(a.size.height + gap(&a, &b))
                        }
                        _ => None,
                    })
                    .collect();
                for (node, y) in nodes.iter().zip(spread(&wanted, &gaps)) {
                    if let Some(node) = self.nodes.get_mut(*node) {
                        node.y = y;
                    }
                }
            }
        }
    }

    /// Where a node would like to be, and how much.
    fn wanted(&self, index: usize) -> (f64, f64) {
        let own = self.node(index);
        let (mut sum, mut weights) = (0.0, 0.0);
        for link in self.links_of(index) {
            let (other, other_port, port) = if link.left == index {
                (link.right, link.right_port, link.left_port)
            } else {
                (link.left, link.left_port, link.right_port)
            };
            let other = self.node(other);
            // Lanes are to be straight above all.
            let weight = if own.lane && other.lane { 4.0 } else { 1.0 };
            sum += (other.y + other_port - port) * weight;
            weights += weight;
        }
        if weights == 0.0 { (own.y, 0.1) } else { (sum / weights, weights) }
    }

    fn layout(
        &self,
        boxes: usize,
        lines: &[Line],
        routes: &[Vec<usize>],
        backward: Vec<bool>,
        entry: f64,
    ) -> Arrangement {
        let top = self.nodes.iter().map(|node| node.y).fold(f64::INFINITY, f64::min);
        let bottom = self.nodes.iter().map(|node| node.y + node.size.height).fold(0.0, f64::max);
        let mut columns = Vec::new();
        let mut x = 0.0;
        for (layer, nodes) in self.layers.iter().enumerate() {
            let width = nodes.iter().map(|node| self.node(*node).size.width).fold(0.0, f64::max);
            columns.push((x, width));
            let leaving = self.links.iter().filter(|link| self.node(link.left).layer == layer);
            let leaving = u32::try_from(leaving.count()).map_or(0.0, f64::from);
            x += width + (COLUMN_GAP + leaving * 4.0).min(COLUMN_GAP_MAX);
        }
        let right = columns.last().map_or(0.0, |(x, width)| x + width);
        let at = |index: usize| {
            let node = self.node(index);
            let (x, width) = columns.get(node.layer).copied().unwrap_or_default();
            (x, width, node.y - top, node.size.width)
        };
        let draw = |((line, route), back): ((&Line, &Vec<usize>), &bool)| {
            let last = route.len().saturating_sub(1);
            let mut points = Vec::new();
            for (step, node) in route.iter().enumerate() {
                let (x, width, y, own) = at(*node);
                let (first_port, last_port) =
                    if *back { (entry, line.port) } else { (line.port, entry) };
                if step == 0 {
                    points.push(Point { x: x + own, y: y + first_port });
                    points.push(Point { x: x + width, y: y + first_port });
                } else if step == last {
                    points.push(Point { x, y: y + last_port });
                } else {
                    points.push(Point { x, y });
                    points.push(Point { x: x + width, y });
                }
            }
            if *back {
                points.reverse();
            }
            points
        };
        let boxes = (0..boxes).map(|index| {
            let (x, _, y, _) = at(index);
            Point { x, y }
        });
        Arrangement {
            boxes: boxes.collect(),
            lines: lines.iter().zip(routes).zip(&backward).map(draw).collect(),
            backward,
            width: right,
            height: bottom - top.min(bottom),
        }
    }
}

/// The ends of a line, from left to right.
fn ends(line: &Line, back: bool) -> (usize, usize) {
    if back { (line.to, line.from) } else { (line.from, line.to) }
}

/// How many pairs of lines cross, of which each begins and ends so far down: of those that begin further up, those
/// that end further down.
fn crossings(lines: &[(f64, f64)]) -> usize {
    let mut lines = lines.to_vec();
    lines.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut ends: Vec<f64> = lines.iter().map(|(_, end)| *end).collect();
    ends.sort_by(f64::total_cmp);
    ends.dedup();
    // How many end at each place so far, in sums of runs (Fenwick, 1994).
    let mut sums = vec![0_usize; ends.len() + 1];
    let mut count = 0;
    for (before, (_, end)) in lines.iter().enumerate() {
        let place = ends.partition_point(|other| other <= end);
        let mut no_further = 0;
        let mut at = place;
        while at > 0 {
            no_further += sums.get(at).copied().unwrap_or_default();
            at &= at - 1;
        }
        count += before - no_further;
        let mut at = place;
        while let Some(sum) = sums.get_mut(at) {
            *sum += 1;
            at += 1 << at.trailing_zeros();
        }
    }
    count
}

fn gap(above: &Node, below: &Node) -> f64 {
    if above.lane || below.lane { LANE_GAP } else { GAP }
}

/// The places nearest to the wanted ones (by weighted squares) that keep the gaps: pool adjacent
/// violators, over what is left when the gaps are taken away.
fn spread(wanted: &[(f64, f64)], gaps: &[f64]) -> Vec<f64> {
    let mut offsets = vec![0.0];
    for gap in gaps {
        offsets.push(offsets.last().copied().unwrap_or_default() + gap);
    }
    // Each pool: the sum of its weighted places, its weight, and how many it holds.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((place, weight), offset) in wanted.iter().zip(&offsets) {
        let mut pool = ((place - offset) * weight, *weight, 1);
        while let Some(before) = pools.last().copied() {
            if before.0 / before.1 <= pool.0 / pool.1 {
                break;
            }
            pool = (before.0 + pool.0, before.1 + pool.1, before.2 + pool.2);
            pools.pop();
        }
        pools.push(pool);
    }
    let places = pools.iter().flat_map(|(sum, weight, count)| vec![sum / weight; *count]);
    places.zip(offsets).map(|(place, offset)| place + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes(count: usize) -> Vec<Size> {
        vec![Size { width: 100.0, height: 40.0 }; count]
    }

    fn line(from: usize, to: usize) -> Line {
        Line { from, to, port: 20.0, bundle: 0 }
    }

    #[test]
    fn what_is_led_to_stands_on_the_right_and_nothing_overlaps() {
        let lines = [line(0, 1), line(0, 2), line(1, 3), line(2, 3), line(0, 3), line(3, 0)];
        let layout = place(&boxes(4), &lines, 20.0);
        let x = |index: usize| layout.boxes[index].x;
        assert!(x(0) < x(1) && x(1) < x(3) && (x(1) - x(2)).abs() < 0.1);
        assert!((layout.boxes[1].y - layout.boxes[2].y).abs() >= 40.0 + GAP - 0.1);
        assert_eq!(layout.backward, [false, false, false, false, false, true]);
        assert!(layout.lines[5].first().unwrap().x > layout.lines[5].last().unwrap().x);
    }

    #[test]
    fn gaps_are_kept_and_places_are_near() {
        assert_eq!(
            spread(&[(0.0, 1.0), (0.0, 1.0), (50.0, 1.0)], &[10.0, 10.0]),
            [-5.0, 5.0, 50.0]
        );
    }

    #[test]
    fn lines_cross_that_change_sides() {
        let places: Vec<f64> = [0.0, 1.0, 1.0, 2.5, 3.0].to_vec();
        let mut lines = Vec::new();
        for seed in 0..200_usize {
            lines.push((places[seed * 7 % 5], places[seed * seed % 11 % 5]));
            let pairs = lines
                .iter()
                .enumerate()
                .flat_map(|(index, a)| lines.iter().skip(index + 1).map(move |b| (a, b)));
            let each = pairs.filter(|(a, b)| (a.0 - b.0) * (a.1 - b.1) < 0.0).count();
            assert_eq!(crossings(&lines), each, "{lines:?}");
        }
    }

    #[test]
    fn nothing_is_a_picture_too() {
        assert!(place(&[], &[], 20.0).boxes.is_empty());
        let layout = place(&boxes(1), &[line(0, 0)], 20.0);
        assert_eq!(layout.boxes.len(), 1);
    }
}
