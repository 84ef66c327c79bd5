//! What orders are worth.

use unskew::Column;

/// Orders above it are typing errors more often than orders.
const GREATEST_VALUE: f64 = 2_500.0;

/// What an order is worth: the price of a piece times the pieces.
///
/// Neither argument is optional, so events that are no purchase, and have no
/// amount, yield null without a call.
#[unskew::transform]
pub fn order_value(amount: f64, quantity: i32) -> Result<f64, String> {
    if amount < 0.0 || quantity <= 0 {
        return Err(format!("{quantity} pieces for {amount} each are no order"));
    }
    let value = amount * f64::from(quantity);
    if value > GREATEST_VALUE {
        return Err(format!("an order of {value:.2} needs a look before it counts"));
    }
    Ok(value)
}

/// How much was spent on a piece, by steps of a factor of two: 0 below 16, 1
/// below 32 and so on, at most 5. A batch form: it takes the column as a whole.
#[unskew::transform(batch)]
pub fn spend_level(amount: Column<'_, Option<f64>>) -> Vec<Option<u8>> {
    let level = |amount: f64| {
        [16.0, 32.0, 64.0, 128.0, 256.0].iter().filter(|step| amount >= **step).count()
    };
    amount.iter().map(|amount| Some(level(amount?) as u8)).collect()
}

/// Cents and orders: whole numbers, whose sum is the same in any order.
#[derive(Default, unskew::State)]
pub struct AverageOrder {
    cents: i64,
    orders: i64,
}

/// What an order is worth on average, to the cent.
#[unskew::aggregate]
impl AverageOrder {
    pub fn update(&mut self, amount: f64, quantity: i32) -> Result<(), String> {
        let value = order_value(amount, quantity)?;
        self.cents += libm::round(value * 100.0) as i64;
        self.orders += 1;
        Ok(())
    }

    pub fn merge(&mut self, other: &Self) {
        self.cents += other.cents;
        self.orders += other.orders;
    }

    pub fn subtract(&mut self, other: &Self) {
        self.cents -= other.cents;
        self.orders -= other.orders;
    }

    pub fn finish(&self) -> Option<f64> {
        (self.orders > 0).then(|| self.cents as f64 / self.orders as f64 / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_worth_its_pieces() {
        assert_eq!(order_value(12.5, 2), Ok(25.0));
        assert!(order_value(12.5, 0).unwrap_err().contains("0 pieces"));
        assert!(order_value(2_000.0, 3).unwrap_err().contains("6000.00"));
    }

    #[test]
    fn an_average_does_not_depend_on_the_order() {
        let mut first = AverageOrder::default();
        first.update(10.0, 1).unwrap();
        let mut second = AverageOrder::default();
        second.update(5.25, 4).unwrap();
        assert!(second.update(-1.0, 1).is_err());
        second.merge(&first);
        assert_eq!(second.finish(), Some(15.5));
        second.subtract(&first);
        assert_eq!(second.finish(), Some(21.0));
        assert_eq!(AverageOrder::default().finish(), None);
    }
}
