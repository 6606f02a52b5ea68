//! Unfoldings of a full array: index k along the rows, the others along the columns, first index fastest.
//!
//! ```text
//! Z_(k)_(i, p + P q) = z_(p + P (i + d_k q)),     P = d_1 .. d_(k-1)
//! ```

use super::Mat;

/// Z_(k) of an array of these sizes, `k` from 0.
pub fn unfold(z: &[f64], sizes: &[usize], k: usize) -> Mat {
    let before: usize = sizes[..k].iter().product();
    let d = sizes[k];
    Mat::from_fn(d, z.len() / d, |i, line| z[line % before + before * (i + d * (line / before))])
}

/// The array with the unfolding Z_(k); size k is the number of rows.
pub fn fold(unfolded: &Mat, sizes: &[usize], k: usize) -> Vec<f64> {
    let before: usize = sizes[..k].iter().product();
    let d = unfolded.nrows();
    let mut out = vec![0.0; unfolded.len()];
    for (line, column) in unfolded.column_iter().enumerate() {
        column.iter().enumerate().for_each(|(i, z)| out[line % before + before * (i + d * (line / before))] = *z);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_in_the_row_of_its_index_and_comes_back() {
        let sizes = [2, 3, 4];
        let z: Vec<f64> = (0..24).map(f64::from).collect();
        for k in 0..3 {
            let unfolded = unfold(&z, &sizes, k);
            assert_eq!(fold(&unfolded, &sizes, k), z);
            for (at, z) in z.iter().enumerate() {
                let index = [at % 2, at / 2 % 3, at / 6][k];
                assert!(unfolded.row(index).iter().any(|x| x == z), "{k}: {z}");
            }
        }
    }
}
