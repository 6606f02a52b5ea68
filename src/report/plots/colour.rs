//! Colours that are told apart by everyone: those of Okabe & Ito for lines, a viridis-like ramp and one from blue over white to
//! vermilion for tables of numbers.

/// Red, green, blue.
pub type Rgb = (u8, u8, u8);

/// Lines and points: blue, vermilion, green, orange, purple, sky.
pub const LINES: [Rgb; 6] =
    [(0, 114, 178), (213, 94, 0), (0, 158, 115), (230, 159, 0), (204, 121, 167), (86, 180, 233)];

/// What is there only to be compared with.
pub const PALE: Rgb = (200, 200, 200);

/// Stands for the colour of the text around a picture.
pub const INK: Rgb = (16, 16, 16);

/// How numbers become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ramp {
    /// Of one sign: dark to bright.
    Viridis,
    /// Of one sign, in pictures: black to white.
    Grey,
    /// Of both signs: 0 in the middle.
    Diverging,
}

impl Ramp {
    fn anchors(self) -> &'static [Rgb] {
        match self {
            Self::Viridis => &[
                (68, 1, 84),
                (71, 45, 123),
                (59, 82, 139),
                (44, 114, 142),
                (33, 145, 140),
                (40, 174, 128),
                (94, 201, 98),
                (173, 220, 48),
                (253, 231, 37),
            ],
            Self::Grey => &[(0, 0, 0), (255, 255, 255)],
            Self::Diverging => &[
                (0, 68, 136),
                (0, 114, 178),
                (128, 184, 216),
                (247, 247, 247),
                (240, 168, 122),
                (213, 94, 0),
                (140, 50, 0),
            ],
        }
    }

    /// The colour at `t` between 0 and 1.
    pub fn at(self, t: f64) -> Rgb {
        let anchors = self.anchors();
        let place = t.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
        let k = (place as usize).min(anchors.len() - 2);
        let part = place - k as f64;
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
        let (a, b) = (anchors[k], anchors[k + 1]);
        (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
    }

    /// As a style sheet writes it, from left to right.
    pub fn gradient(self) -> String {
        let stops: Vec<String> = self.anchors().iter().map(|c| hex(*c)).collect();
        format!("linear-gradient(to right, {})", stops.join(", "))
    }
}

/// `#rrggbb`.
pub fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
