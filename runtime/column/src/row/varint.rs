use crate::row::RowCodecError;

/// Appends a number in 7 bits a byte, the lowest first.
pub fn write_varint(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Takes such a number from the front of `from`. One with more bytes than it
/// needs is refused.
pub fn read_varint(from: &mut &[u8]) -> Result<u64, RowCodecError> {
    let mut value = 0_u64;
    for (at, byte) in from.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if at == 9 && bits > 1 {
            break;
        }
        value |= bits << (7 * at);
        if byte & 0x80 == 0 {
            if at > 0 && *byte == 0 {
                break;
            }
            *from = &from[at + 1..];
            return Ok(value);
        }
    }
    Err(match from.len() {
        0 => RowCodecError::Damaged("it is too short"),
        _ => RowCodecError::Damaged("a varint is malformed"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_from_as_few_bytes_as_they_need() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let mut bytes = Vec::new();
            write_varint(value, &mut bytes);
            assert!(bytes.len() <= 10);
            bytes.push(7);
            let mut rest = bytes.as_slice();
            assert_eq!(read_varint(&mut rest), Ok(value));
            assert_eq!(rest, [7]);
        }
        for malformed in [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0xff; 11]] {
            assert!(read_varint(&mut &malformed[..]).is_err(), "{malformed:?}");
        }
    }
}
