//! Where events happened.

/// The warehouses: name, latitude and longitude in degrees.
const WAREHOUSES: [(&str, f64, f64); 5] = [
    ("rotterdam", 51.92, 4.48),
    ("nairobi", -1.29, 36.82),
    ("singapore", 1.35, 103.82),
    ("santos", -23.96, -46.33),
    ("oakland", 37.80, -122.27),
];

const EARTH_RADIUS_KM: f64 = 6_371.0;

/// The warehouse nearest to where the event happened, and the kilometres to it.
#[derive(unskew::Outputs)]
pub struct Nearest {
    /// The warehouse's name.
    pub warehouse: &'static str,
    /// Great-circle distance in kilometres.
    pub distance_km: f64,
}

/// The warehouse nearest to where the event happened, and the kilometres to it.
#[unskew::transform]
pub fn nearest_warehouse(latitude: f64, longitude: f64) -> Result<Nearest, String> {
    if !(latitude.abs() <= 90.0 && longitude.abs() <= 180.0) {
        return Err(format!("there is no place at latitude {latitude}, longitude {longitude}"));
    }
    let distances = WAREHOUSES.map(|(warehouse, lat, lon)| Nearest {
        warehouse,
        distance_km: haversine_km(latitude, longitude, lat, lon),
    });
    let nearest = distances.into_iter().min_by(|a, b| a.distance_km.total_cmp(&b.distance_km));
    nearest.ok_or_else(|| "there are no warehouses".to_owned())
}

/// The great-circle distance by the haversine formula (Inman, 1835).
fn haversine_km(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    let half_sine = |degrees: f64| libm::sin(degrees.to_radians() / 2.0);
    let (dlat, dlon) = (half_sine(lat2 - lat1), half_sine(lon2 - lon1));
    let cosines = libm::cos(lat1.to_radians()) * libm::cos(lat2.to_radians());
    2.0 * EARTH_RADIUS_KM * libm::asin(libm::sqrt(dlat * dlat + cosines * dlon * dlon).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_a_globe() {
        // A quarter of a great circle, and half of one.
        let quarter = EARTH_RADIUS_KM * std::f64::consts::FRAC_PI_2;
        assert!((haversine_km(0.0, 0.0, 0.0, 90.0) - quarter).abs() < 1e-6);
        assert!((haversine_km(90.0, 0.0, -90.0, 77.0) - 2.0 * quarter).abs() < 1e-6);
    }

    #[test]
    fn the_nearest_is_found() {
        let nearest = nearest_warehouse(52.37, 4.90).unwrap();
        assert_eq!(nearest.warehouse, "rotterdam");
        assert!((50.0..70.0).contains(&nearest.distance_km));
        assert!(nearest_warehouse(f64::NAN, 0.0).is_err());
        assert!(nearest_warehouse(91.0, 0.0).is_err());
    }
}
