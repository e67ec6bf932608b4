//! Connections whose requests are run in one turn of the loop.

mod support;

use support::{encode_parts, start};

/// Around what may wait until others have run, and values that are sent from where they are stored.
const SIZES: [usize; 6] = [0, 30, 16_000, 16_380, 16_400, 100_000];

#[test]
fn each_gets_its_own_replies_whole_and_in_order() {
    let running = start();
    let mut clients: Vec<_> = (0..100).map(|_| running.connect()).collect();
    for round in 0..30 {
        let mut expected = Vec::new();
        for (number, client) in clients.iter_mut().enumerate() {
            let key = format!("key:{number}");
            let value = vec![b'a' + (number % 26) as u8; SIZES[(number / 7 + round) % SIZES.len()]];
            let mark = format!("{number} in {round}");
            let requests = [
                encode_parts(&[b"SET", key.as_bytes(), &value]),
                encode_parts(&[b"GET", key.as_bytes()]),
                encode_parts(&[b"ECHO", mark.as_bytes()]),
            ];
            client.send(&requests.concat());
            let header = format!("+OK\r\n${}\r\n", value.len());
            let end = format!("\r\n${}\r\n{mark}\r\n", mark.len());
            expected.push([header.as_bytes(), &value, end.as_bytes()].concat());
        }
        for (client, expected) in clients.iter_mut().zip(expected) {
            client.receive(&expected);
        }
    }
}

#[test]
fn a_request_cut_in_two_goes_on_in_a_later_turn() {
    let running = start();
    let mut clients: Vec<_> = (0..50).map(|_| running.connect()).collect();
    let request = encode_parts(&[b"ECHO", b"whole"]).repeat(2);
    let first = request.len() / 2 + 9;
    clients.iter_mut().for_each(|client| client.send(&request[..first]));
    clients.iter_mut().for_each(|client| client.receive(b"$5\r\nwhole\r\n"));
    clients.iter_mut().for_each(|client| client.send(&request[first..]));
    clients.iter_mut().for_each(|client| client.receive(b"$5\r\nwhole\r\n"));
}

#[test]
fn who_quits_gets_the_replies_before_that() {
    let running = start();
    let mut clients: Vec<_> = (0..50).map(|_| running.connect()).collect();
    let stays = encode_parts(&[b"ECHO", b"stays"]);
    let goes = [stays.clone(), encode_parts(&[b"QUIT"])].concat();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(if number % 2 == 0 { &stays } else { &goes });
    }
    for (number, client) in clients.iter_mut().enumerate() {
        if number % 2 == 0 {
            client.receive(b"$5\r\nstays\r\n");
        } else {
            assert_eq!(client.receive_all(), b"$5\r\nstays\r\n+OK\r\n");
        }
    }
}
