use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    Float64Array, Float64Builder, Int32Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::error::DatagenError;
use crate::random::{Zipf, bits_at, normal, unit, unit_of};
use crate::spec::{EVENT_TYPES, Spec};
use crate::times::EventTimes;

/// Of 100 events so many are views and so many clicks; the others are purchases.
const VIEWS: u64 = 78;
const CLICKS: u64 = 16;

/// Amounts are `exp(LOG_MEAN + LOG_DEVIATION * normal)`: half are below 33.
const LOG_MEAN: f64 = 3.5;
const LOG_DEVIATION: f64 = 0.9;

pub(crate) const USER_EXPONENT: f64 = 1.1;
const PRODUCT_EXPONENT: f64 = 0.9;

/// How far from home an event may be, in degrees.
const ROAMING_DEGREES: f64 = 0.25;

const BATCH_ROWS: u64 = 16_384;

/// One amount.
pub(crate) fn draw_amount(rng: &mut ChaCha8Rng) -> f64 {
    libm::exp(LOG_MEAN + LOG_DEVIATION * normal(rng))
}

/// The columns of the events.
///
/// `amount` and `quantity` are null unless the event is a purchase; nothing
/// else is ever null.
pub fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("event_timestamp", time, false),
        Field::new("user_id", DataType::Utf8, false),
        Field::new("product_id", DataType::Utf8, false),
        Field::new("event_type", DataType::Utf8, false),
        Field::new("amount", DataType::Float64, true),
        Field::new("quantity", DataType::Int32, true),
        Field::new("latitude", DataType::Float64, false),
        Field::new("longitude", DataType::Float64, false),
    ]))
}

/// All events of a [`Spec`] in order of time, in batches of 16,384 rows.
pub struct Events {
    schema: SchemaRef,
    rng: ChaCha8Rng,
    users: Zipf,
    products: Zipf,
    seed: u64,
    times: EventTimes,
}

impl Events {
    /// Refuses a spec that is out of bounds.
    pub fn new(spec: &Spec) -> Result<Self, DatagenError> {
        spec.check()?;
        Ok(Self {
            schema: schema(),
            rng: ChaCha8Rng::seed_from_u64(spec.seed),
            users: Zipf::new(spec.entities, USER_EXPONENT),
            products: Zipf::new(spec.products, PRODUCT_EXPONENT),
            seed: spec.seed,
            times: EventTimes::new(spec),
        })
    }

    /// Where a user lives: latitude and longitude in degrees.
    fn home(&self, user: u64) -> (f64, f64) {
        let latitude = -45.0 + 105.0 * unit_of(bits_at(self.seed, 2 * user));
        let longitude = -175.0 + 350.0 * unit_of(bits_at(self.seed, 2 * user + 1));
        (latitude, longitude)
    }
}

impl Iterator for Events {
    type Item = RecordBatch;

    fn next(&mut self) -> Option<RecordBatch> {
        let rows = self.times.rows_left().min(BATCH_ROWS) as usize;
        if rows == 0 {
            return None;
        }
        let mut times = Vec::with_capacity(rows);
        let mut user_ids = StringBuilder::with_capacity(rows, rows * 9);
        let mut product_ids = StringBuilder::with_capacity(rows, rows * 9);
        let mut event_types = StringBuilder::with_capacity(rows, rows * 8);
        let mut amounts = Float64Builder::with_capacity(rows);
        let mut quantities = Int32Builder::with_capacity(rows);
        let mut latitudes = Vec::with_capacity(rows);
        let mut longitudes = Vec::with_capacity(rows);
        for _ in 0..rows {
            times.push(self.times.draw(&mut self.rng));
            let user = self.users.draw(&mut self.rng);
            let product = self.products.draw(&mut self.rng);
            append_id(&mut user_ids, 'u', user);
            append_id(&mut product_ids, 'p', product);

            let bits = self.rng.next_u64();
            let kind = match bits % 100 {
                x if x < VIEWS => 0,
                x if x < VIEWS + CLICKS => 1,
                _ => 2,
            };
            event_types.append_value(EVENT_TYPES[kind]);
            if kind == 2 {
                amounts.append_value(draw_amount(&mut self.rng));
                // One item; of those who take n, every fourth takes one more.
                let more = (bits >> 32 | 1 << 30).trailing_zeros() / 2;
                quantities.append_value(1 + more as i32);
            } else {
                amounts.append_null();
                quantities.append_null();
            }

            let (latitude, longitude) = self.home(user);
            let roaming = |rng: &mut ChaCha8Rng| ROAMING_DEGREES * (2.0 * unit(rng) - 1.0);
            latitudes.push(latitude + roaming(&mut self.rng));
            longitudes.push(longitude + roaming(&mut self.rng));
        }
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
            Arc::new(user_ids.finish()),
            Arc::new(product_ids.finish()),
            Arc::new(event_types.finish()),
            Arc::new(amounts.finish()),
            Arc::new(quantities.finish()),
            Arc::new(Float64Array::from(latitudes)),
            Arc::new(Float64Array::from(longitudes)),
        ];
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        Some(batch.expect("the columns are built by the schema above"))
    }
}

/// Appends `u0000001` for the first rank: the lower the number, the more often it comes.
fn append_id(ids: &mut StringBuilder, letter: char, rank: u64) {
    write!(ids, "{letter}{:07}", rank + 1).expect("writing into memory does not fail");
    ids.append_value("");
}
