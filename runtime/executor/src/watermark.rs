//! How far the event time of a log has come (DESIGN, section 5): per partition
//! p and record i `W(p,i) = max over j < i of min(event_ts_j, broker_ts_j +
//! max_future_skew) - out_of_orderness`, a function of the log alone.

use std::collections::BTreeMap;

use crate::state_bytes::{Reader, StateBytesError, Writer};

/// What a source says of its time. In microseconds, none below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatermarkSettings {
    /// By so much events may be out of order without being late.
    pub out_of_orderness_us: i64,
    /// So far ahead of the broker's clock an event's time is believed.
    pub max_future_skew_us: i64,
    /// A row is too late that is this far behind the watermark.
    pub allowed_lateness_us: i64,
}

impl Default for WatermarkSettings {
    fn default() -> Self {
        Self {
            out_of_orderness_us: 5_000_000,
            max_future_skew_us: 60_000_000,
            allowed_lateness_us: 3_600_000_000,
        }
    }
}

impl WatermarkSettings {
    /// How far a record shows that time has come: its own time, but no further
    /// ahead of the broker's than is believed.
    fn shown(&self, event_timestamp: i64, broker_timestamp: Option<i64>) -> i64 {
        match broker_timestamp {
            Some(broker) => event_timestamp.min(broker.saturating_add(self.max_future_skew_us)),
            None => event_timestamp,
        }
    }
}

/// The watermark of one partition before its next record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermark {
    /// The greatest time that a record showed.
    greatest: Option<i64>,
}

impl Watermark {
    /// In microseconds; none before the first record.
    pub fn get(&self, settings: &WatermarkSettings) -> Option<i64> {
        self.greatest.map(|greatest| greatest.saturating_sub(settings.out_of_orderness_us))
    }

    /// Whether a record at this time comes too late now.
    pub fn is_too_late(&self, settings: &WatermarkSettings, event_timestamp: i64) -> bool {
        self.get(settings).is_some_and(|watermark| {
            event_timestamp < watermark.saturating_sub(settings.allowed_lateness_us)
        })
    }

    /// Goes past a record; says whether that moved it.
    pub fn pass(
        &mut self,
        settings: &WatermarkSettings,
        event_timestamp: i64,
        broker_timestamp: Option<i64>,
    ) -> bool {
        let shown = settings.shown(event_timestamp, broker_timestamp);
        let is_further = self.greatest.is_none_or(|greatest| shown > greatest);
        if is_further {
            self.greatest = Some(shown);
        }
        is_further
    }
}

/// Stands for a watermark before the first record of its partition.
pub const NO_WATERMARK: i64 = i64::MIN;

/// The watermarks of a log's partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermarks {
    settings: WatermarkSettings,
    partitions: BTreeMap<u32, Watermark>,
}

impl Watermarks {
    /// Before the first record of each of these partitions. More are added
    /// when a record shows them.
    pub fn new(settings: WatermarkSettings, partitions: impl IntoIterator<Item = u32>) -> Self {
        let partitions = partitions.into_iter().map(|p| (p, Watermark::default())).collect();
        Self { settings, partitions }
    }

    /// What the source says of its time.
    pub fn settings(&self) -> &WatermarkSettings {
        &self.settings
    }

    /// That of one partition in microseconds; [`NO_WATERMARK`] before its first
    /// record.
    pub fn of(&self, partition: u32) -> i64 {
        let watermark = self.partitions.get(&partition);
        watermark.and_then(|watermark| watermark.get(&self.settings)).unwrap_or(NO_WATERMARK)
    }

    /// The least of all partitions, at which windows close; [`NO_WATERMARK`]
    /// while a partition has no record.
    pub fn least(&self) -> i64 {
        let each = self.partitions.values().map(|watermark| watermark.get(&self.settings));
        each.map(|watermark| watermark.unwrap_or(NO_WATERMARK)).min().unwrap_or(NO_WATERMARK)
    }

    /// Goes past one record; says whether that moved its partition's watermark.
    pub fn pass(&mut self, partition: u32, event: i64, broker: Option<i64>) -> bool {
        self.partitions.entry(partition).or_default().pass(&self.settings, event, broker)
    }

    /// Whether a record comes too late if it is the partition's next one.
    pub fn is_too_late(&self, partition: u32, event: i64) -> bool {
        let watermark = self.partitions.get(&partition);
        watermark.is_some_and(|watermark| watermark.is_too_late(&self.settings, event))
    }

    /// Goes past records, which are in the order of their offsets in each
    /// partition, and lists those that came too late: rows of the arguments, in
    /// ascending order. Timestamps are in microseconds. Every record of the log
    /// whose event time is known takes part, also one that is dropped for
    /// another reason.
    ///
    /// # Panics
    ///
    /// When the arguments are not of one length.
    pub fn too_late(
        &mut self,
        partitions: &[u32],
        event_timestamps: &[i64],
        broker_timestamps: Option<&[i64]>,
    ) -> Vec<u32> {
        assert_eq!(partitions.len(), event_timestamps.len(), "one partition for each record");
        if let Some(broker) = broker_timestamps {
            assert_eq!(partitions.len(), broker.len(), "one broker time for each record");
        }
        let mut late = Vec::new();
        for (row, (&partition, &event)) in partitions.iter().zip(event_timestamps).enumerate() {
            if self.is_too_late(partition, event) {
                late.push(u32::try_from(row).expect("a batch has fewer than 2^32 rows"));
            }
            self.pass(partition, event, broker_timestamps.map(|broker| broker[row]));
        }
        late
    }

    /// All of it but the settings, as bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        self.write(&mut to);
        to.finish()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(settings: WatermarkSettings, bytes: &[u8]) -> Result<Self, StateBytesError> {
        let mut from = Reader::new(bytes)?;
        let watermarks = Self::read(settings, &mut from)?;
        from.finish()?;
        Ok(watermarks)
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.length(self.partitions.len());
        for (partition, Watermark { greatest }) in &self.partitions {
            to.u32(*partition);
            to.optional_i64(*greatest);
        }
    }

    pub(crate) fn read(
        settings: WatermarkSettings,
        from: &mut Reader<'_>,
    ) -> Result<Self, StateBytesError> {
        let mut partitions = BTreeMap::new();
        for _ in 0..from.length()? {
            let partition = from.u32()?;
            partitions.insert(partition, Watermark { greatest: from.optional_i64()? });
        }
        Ok(Self { settings, partitions })
    }
}

/// The rows of a whole log that came too late, in ascending order. The log may
/// come in any order: offsets say how it was.
///
/// # Panics
///
/// When the arguments are not of one length.
pub fn too_late_rows(
    settings: WatermarkSettings,
    partitions: &[u32],
    offsets: &[i64],
    event_timestamps: &[i64],
    broker_timestamps: Option<&[i64]>,
) -> Vec<u32> {
    assert_eq!(partitions.len(), offsets.len(), "one offset for each record");
    let rows = u32::try_from(partitions.len()).expect("a log in memory has fewer than 2^32 rows");
    let mut order: Vec<u32> = (0..rows).collect();
    order.sort_by_key(|&row| (partitions[row as usize], offsets[row as usize]));
    let pick = |values: &[i64]| -> Vec<i64> { order.iter().map(|&r| values[r as usize]).collect() };
    let sorted: Vec<u32> = order.iter().map(|&row| partitions[row as usize]).collect();
    let broker = broker_timestamps.map(pick);
    let mut late =
        Watermarks::new(settings, []).too_late(&sorted, &pick(event_timestamps), broker.as_deref());
    late.iter_mut().for_each(|row| *row = order[*row as usize]);
    late.sort_unstable();
    late
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    fn settings() -> WatermarkSettings {
        WatermarkSettings {
            out_of_orderness_us: 5 * S,
            max_future_skew_us: 60 * S,
            allowed_lateness_us: 100 * S,
        }
    }

    #[test]
    fn a_record_does_not_move_its_own_watermark() {
        let mut watermarks = Watermarks::new(settings(), [0]);
        assert_eq!(watermarks.least(), NO_WATERMARK);
        // Each would be too late behind the one before it, by 1 us not.
        let late = watermarks.too_late(&[0, 0, 0], &[1000 * S, 895 * S, 895 * S - 1], None);
        assert_eq!(late, [2]);
        assert_eq!(watermarks.of(0), 995 * S);
    }

    #[test]
    fn one_event_from_the_future_makes_no_honest_one_late() {
        let mut watermarks = Watermarks::new(settings(), []);
        let broker = [10 * S, 11 * S, 12 * S];
        let late = watermarks.too_late(&[7; 3], &[i64::MAX, 10 * S, -30 * S], Some(&broker));
        assert_eq!(late, Vec::<u32>::new());
        assert_eq!(watermarks.of(7), (10 + 60 - 5) * S);
        assert_eq!(watermarks.too_late(&[7], &[-35 * S - 1], Some(&[13 * S])), [0]);
    }

    #[test]
    fn partitions_have_watermarks_of_their_own_and_the_least_closes() {
        let mut watermarks = Watermarks::new(settings(), [0, 1]);
        assert_eq!(watermarks.too_late(&[0, 1], &[1000 * S, S], None), Vec::<u32>::new());
        assert_eq!(watermarks.least(), -4 * S);
        let stored = Watermarks::decode(settings(), &watermarks.encode()).unwrap();
        assert_eq!(stored, watermarks);
    }

    #[test]
    fn a_log_may_come_in_any_order() {
        let (partitions, offsets) = ([1, 0, 0, 1], [4, 9, 8, 5]);
        let events = [500 * S, 100 * S, 300 * S, 394 * S];
        assert_eq!(too_late_rows(settings(), &partitions, &offsets, &events, None), [1, 3]);
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_overflow() {
        let events = [i64::MIN, i64::MAX, i64::MIN];
        let late = too_late_rows(settings(), &[0; 3], &[0, 1, 2], &events, Some(&[i64::MAX; 3]));
        assert_eq!(late, [2]);
    }
}
