//! Tables of numbers as small PNG images in `data:` addresses, one pixel per cell; a browser enlarges them.

use super::colour::Ramp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Colours 0 to 253 are the ramp; the last one is for what is missing.
const MISSING: u8 = 254;

/// A table of numbers, row by row; NaN is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Raster {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// rows x cols values.
    pub values: Vec<f64>,
}

/// The numbers at both ends of a ramp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The colours.
    pub ramp: Ramp,
    /// Shown in the first colour.
    pub lo: f64,
    /// Shown in the last one.
    pub hi: f64,
}

impl Scale {
    /// Around 0 where there are both signs, else from 0 on to the largest; `one_sign` is the ramp for that.
    pub fn around_zero(values: impl Iterator<Item = f64>, one_sign: Ramp) -> Self {
        let (lo, hi) = values.filter(|x| x.is_finite()).fold((0.0, 0.0), |(a, b): (f64, f64), x| (a.min(x), b.max(x)));
        let size = lo.abs().max(hi);
        if lo < 0.0 && hi > 0.0 {
            return Self { ramp: Ramp::Diverging, lo: -size, hi: size };
        }
        // what is negative throughout is as bright as it is large
        let (lo, hi) = if lo < 0.0 { (0.0, lo) } else { (lo, hi) };
        Self { ramp: one_sign, lo, hi }
    }

    /// Of one sign, from the least value on instead of 0.
    pub fn or_span(self, values: &[f64]) -> Self {
        let (lo, hi) = values
            .iter()
            .filter(|x| x.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)));
        if self.ramp == Ramp::Diverging || lo >= hi { self } else { Self { lo, hi, ..self } }
    }

    fn place(&self, x: f64) -> u8 {
        if x.is_nan() {
            return MISSING;
        }
        let share = (x * 0.25 - self.lo * 0.25) / (self.hi * 0.25 - self.lo * 0.25);
        // nothing but zeros: the middle of a ramp around 0, else its low end
        let share = if share.is_nan() { if self.ramp == Ramp::Diverging { 0.5 } else { 0.0 } } else { share };
        (share.clamp(0.0, 1.0) * f64::from(MISSING - 1)).round() as u8
    }
}

impl Raster {
    /// The image as a `data:` address.
    pub fn data_uri(&self, scale: &Scale) -> String {
        let pixels: Vec<u8> = self.values.iter().map(|x| scale.place(*x)).collect();
        let palette: Vec<u8> = (0..MISSING)
            .flat_map(|k| {
                let (r, g, b) = scale.ramp.at(f64::from(k) / f64::from(MISSING - 1));
                [r, g, b]
            })
            .chain([255, 255, 255])
            .collect();
        let mut transparency = vec![255; usize::from(MISSING)];
        transparency.push(0);
        let bytes = encode(self.cols, self.rows, &pixels, palette, transparency);
        format!("data:image/png;base64,{}", STANDARD.encode(bytes))
    }

    /// No larger than this: cells are averaged over blocks, missing ones left out.
    pub fn shrunk(&self, rows: usize, cols: usize) -> Self {
        let (rows, cols) = (rows.clamp(1, self.rows.max(1)), cols.clamp(1, self.cols.max(1)));
        if (rows, cols) == (self.rows, self.cols) || self.values.is_empty() {
            return self.clone();
        }
        let (mut sums, mut counts) = (vec![0.0; rows * cols], vec![0u32; rows * cols]);
        for (at, x) in self.values.iter().enumerate().filter(|(_, x)| x.is_finite()) {
            let (i, j) = (at / self.cols, at % self.cols);
            let block = i * rows / self.rows * cols + j * cols / self.cols;
            // a sum of large numbers may overflow, a mean does not
            counts[block] += 1;
            sums[block] += (x - sums[block]) / f64::from(counts[block]);
        }
        sums.iter_mut().zip(&counts).filter(|(_, n)| **n == 0).for_each(|(s, _)| *s = f64::NAN);
        Self { rows, cols, values: sums }
    }
}

fn encode(width: usize, height: usize, pixels: &[u8], palette: Vec<u8>, transparency: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    encoder.set_trns(transparency);
    let written = encoder.write_header().and_then(|mut w| w.write_image_data(pixels));
    // only an empty table has no image
    if written.is_err() {
        bytes.clear();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_pixels_and_missing_ones_the_last_colour() {
        let raster = Raster { rows: 1, cols: 3, values: vec![0.0, f64::NAN, 2.0] };
        let scale = Scale::around_zero(raster.values.iter().copied(), Ramp::Grey);
        let uri = raster.data_uri(&scale);
        let bytes = STANDARD.decode(uri.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels[..3], [0, MISSING, MISSING - 1]);
    }

    #[test]
    fn shrinking_takes_means_of_blocks() {
        let raster = Raster { rows: 2, cols: 4, values: vec![1.0, 3.0, f64::NAN, 8.0, 1.0, 3.0, f64::NAN, f64::NAN] };
        assert_eq!(raster.shrunk(1, 2), Raster { rows: 1, cols: 2, values: vec![2.0, 8.0] });
        let same = raster.shrunk(9, 9);
        assert_eq!((same.rows, same.cols, same.values[7].is_nan()), (2, 4, true));
    }

    #[test]
    fn signs_decide_the_ramp() {
        let of = |values: &[f64]| Scale::around_zero(values.iter().copied(), Ramp::Grey);
        assert_eq!(of(&[-1.0, 3.0]), Scale { ramp: Ramp::Diverging, lo: -3.0, hi: 3.0 });
        assert_eq!(of(&[-2.0, -3.0]), Scale { ramp: Ramp::Grey, lo: 0.0, hi: -3.0 });
        assert_eq!((of(&[-3.0]).place(-3.0), of(&[-3.0]).place(0.0)), (MISSING - 1, 0));
        assert_eq!(of(&[2.0, 3.0]), Scale { ramp: Ramp::Grey, lo: 0.0, hi: 3.0 });
        assert_eq!(of(&[f64::MIN, f64::MAX]).place(f64::MAX), MISSING - 1);
        assert_eq!(of(&[]).place(0.0), 0);
    }
}
