//! A dual field whose sums over rows, columns or all are 0, or not above 0, exactly.
//!
//! Every entry is put on a grid of spacing 2^k, on which sums are whole numbers and therefore exact. What a sum is off by is then
//! taken from one entry of it and carried on along a spanning tree of the graph with the rows and columns as nodes and the
//! entries as edges, from the leaves to the root, where nothing is left. Entries with room on both sides are preferred.

/// Sums over groups of entries.
pub struct Sums<'a> {
    /// The group of each entry.
    pub group: &'a [u32],
    /// Number of groups.
    pub count: usize,
    /// Whether a sum below 0 is allowed.
    pub below: bool,
}

/// Turns over the families when a field is centred.
const TURNS: usize = 100;

/// Room in grid steps that makes an entry a good edge.
const ROOM: f64 = 1048576.0;

/// Moves z towards where it meets the sums, by taking the mean off every group in turn; never exactly there.
pub fn centre(sums: &[Sums], z: &mut [f64]) {
    for _ in 0..TURNS {
        let mut off: f64 = 0.0;
        for s in sums {
            let mut mean = vec![0.0; s.count];
            let mut size = vec![0.0; s.count];
            for (&g, z) in s.group.iter().zip(&*z) {
                mean[g as usize] += z;
                size[g as usize] += 1.0;
            }
            for (mean, size) in mean.iter_mut().zip(&size) {
                *mean = if *size == 0.0 || (s.below && *mean < 0.0) { 0.0 } else { *mean / size };
                off = off.max(mean.abs());
            }
            s.group.iter().zip(&mut *z).for_each(|(&g, z)| *z -= mean[g as usize]);
        }
        let top = z.iter().fold(0.0, |m: f64, z| m.max(z.abs()));
        if off <= 1e-15 * top {
            break;
        }
    }
}

/// Moves z, which meets the sums nearly, to where it meets them exactly, keeping entry j in `domain(j)`. False if that failed: z is
/// then as it was. At most two families of sums can be met at once.
pub fn meet(sums: &[Sums], domain: impl Fn(usize) -> (f64, f64), z: &mut [f64]) -> bool {
    let top = z.iter().fold(0.0, |m: f64, z| m.max(z.abs()));
    if top == 0.0 {
        return true;
    }
    if sums.is_empty() || sums.len() > 2 || !top.is_finite() || top < 1e-280 {
        return false;
    }
    let unit = 2f64.powi(top.log2().floor() as i32 - 50);
    let room: Vec<(f64, f64)> =
        (0..z.len()).map(domain).map(|(lo, hi)| ((lo / unit).ceil(), (hi / unit).floor())).collect();
    let start: Vec<f64> = z.iter().zip(&room).map(|(z, r)| (z / unit).round().clamp(r.0, r.1)).collect();
    let tree = Tree::new(sums, z.len(), |e| (start[e] - room[e].0).min(room[e].1 - start[e]) >= ROOM);
    // a sum that may be below 0 is first left there
    for equal in [false, true] {
        let mut counts: Vec<i128> = start.iter().map(|c| *c as i128).collect();
        if tree.push(sums, equal, &mut counts) {
            let fits =
                |(c, r): (&i128, &(f64, f64))| c.unsigned_abs() < 1 << 53 && r.0 <= *c as f64 && *c as f64 <= r.1;
            if counts.iter().zip(&room).all(fits) {
                z.iter_mut().zip(&counts).for_each(|(z, c)| *z = *c as f64 * unit);
                return true;
            }
        }
    }
    false
}

/// A spanning forest: nodes in the order in which they are reached, with the edge and the node each was reached by.
struct Tree {
    ends: Vec<(u32, u32)>,
    first: usize,
    nodes: usize,
    reached: Vec<(u32, Option<(u32, u32)>)>,
}

impl Tree {
    fn new(sums: &[Sums], entries: usize, good: impl Fn(usize) -> bool) -> Self {
        let first = sums[0].count;
        // with one family, all entries share a node at their other end that asks for nothing
        let nodes = first + sums.get(1).map_or(1, |s| s.count);
        let other = |e: usize| first as u32 + sums.get(1).map_or(0, |s| s.group[e]);
        let ends: Vec<(u32, u32)> = (0..entries).map(|e| (sums[0].group[e], other(e))).collect();
        let mut leader: Vec<u32> = (0..nodes as u32).collect();
        let mut beside: Vec<Vec<(u32, u32)>> = vec![Vec::new(); nodes];
        for pass in [true, false] {
            for e in (0..entries).filter(|&e| good(e) == pass) {
                let (a, b) = ends[e];
                let (ra, rb) = (find(&mut leader, a), find(&mut leader, b));
                if ra != rb {
                    leader[ra as usize] = rb;
                    beside[a as usize].push((e as u32, b));
                    beside[b as usize].push((e as u32, a));
                }
            }
        }
        // roots: the node that asks for nothing, nodes that may stay below 0, then any
        let ease = |v: usize| match (v < first, sums.get(1)) {
            (false, None) => 0,
            (false, Some(s)) if s.below => 1,
            (true, _) if sums[0].below => 1,
            _ => 2,
        };
        let mut roots: Vec<usize> = (0..nodes).collect();
        roots.sort_by_key(|&v| (ease(v), v));
        let mut seen = vec![false; nodes];
        let mut reached = Vec::with_capacity(nodes);
        for root in roots {
            if seen[root] {
                continue;
            }
            seen[root] = true;
            let mut next = reached.len();
            reached.push((root as u32, None));
            while next < reached.len() {
                let v = reached[next].0;
                next += 1;
                for &(e, u) in &beside[v as usize] {
                    if !seen[u as usize] {
                        seen[u as usize] = true;
                        reached.push((u, Some((e, v))));
                    }
                }
            }
        }
        Self { ends, first, nodes, reached }
    }

    /// Carries what the sums are off by from the leaves to the roots; whether nothing is left there.
    fn push(&self, sums: &[Sums], equal: bool, counts: &mut [i128]) -> bool {
        let mut off = vec![0i128; self.nodes];
        for (c, (a, b)) in counts.iter().zip(&self.ends) {
            off[*a as usize] += c;
            off[*b as usize] += c;
        }
        let asks = |v: u32, off: i128| {
            let family = if (v as usize) < self.first { Some(&sums[0]) } else { sums.get(1) };
            family.is_some_and(|s| off > 0 || (off < 0 && (equal || !s.below)))
        };
        for &(v, by) in self.reached.iter().rev() {
            let here = off[v as usize];
            if !asks(v, here) {
                continue;
            }
            let Some((e, parent)) = by else { return false };
            counts[e as usize] -= here;
            off[v as usize] = 0;
            off[parent as usize] -= here;
        }
        true
    }
}

fn find(leader: &mut [u32], mut v: u32) -> u32 {
    while leader[v as usize] != v {
        leader[v as usize] = leader[leader[v as usize] as usize];
        v = leader[v as usize];
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;
    use crate::linalg::sum::exact_sum;

    /// Rows, columns, their groups; a sprinkle of entries is left out.
    fn groups(m: usize, n: usize, seed: u64) -> (Vec<u32>, Vec<u32>) {
        let g = gaussian(m, n, seed);
        let kept = |&(i, j): &(usize, usize)| g[(i, j)] > -0.8;
        let all = (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).filter(kept);
        all.map(|(i, j)| (i as u32, j as u32)).unzip()
    }

    fn total(group: &[u32], k: usize, z: &[f64]) -> (f64, f64) {
        exact_sum(group.iter().zip(z).filter(|(g, _)| **g as usize == k).map(|(_, z)| *z))
    }

    #[test]
    fn sums_are_met_exactly_inside_the_box_and_close_by() {
        for seed in 0..30 {
            let (rows, cols) = groups(9, 7, seed);
            let mut z: Vec<f64> = gaussian(rows.len(), 1, seed + 100).iter().map(|z| z.clamp(-1.0, 1.0)).collect();
            let both = |below| [Sums { group: &rows, count: 9, below }, Sums { group: &cols, count: 7, below: false }];
            // nearly centred: alternate a few times, away from the ends of the box
            for _ in 0..2000 {
                for (group, count) in [(&rows, 9), (&cols, 7)] {
                    for k in 0..count {
                        let members: Vec<usize> = (0..z.len()).filter(|&e| group[e] as usize == k).collect();
                        let mean = members.iter().map(|&e| z[e]).sum::<f64>() / members.len().max(1) as f64;
                        members.iter().for_each(|&e| z[e] -= 0.999 * mean);
                    }
                }
            }
            let before = z.clone();
            assert!(meet(&both(seed % 2 == 0), |_| (-2.5, 2.5), &mut z), "seed {seed}");
            assert!((0..7).all(|k| total(&cols, k, &z) == (0.0, 0.0)));
            assert!((0..9).all(|k| total(&rows, k, &z).1 <= 0.0));
            assert!(seed % 2 == 0 || (0..9).all(|k| total(&rows, k, &z) == (0.0, 0.0)));
            let moved: f64 = z.iter().zip(&before).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            assert!(moved < 1e-9, "{moved}");
        }
    }

    #[test]
    fn what_cannot_be_met_is_left_alone() {
        let group = [0u32, 0];
        let sums = [Sums { group: &group, count: 1, below: false }];
        let mut z = [0.75, 0.5];
        assert!(!meet(&sums, |_| (0.0, 1.0), &mut z));
        assert_eq!(z, [0.75, 0.5]);
        let mut z = [0.0, 0.0];
        assert!(meet(&sums, |_| (0.0, 1.0), &mut z));
    }
}
