import { describe, expect, it } from '@jest/globals';
import { senderOf } from './sender.ts';

describe('the sender of an SMS', () => {
  it('is answered if it is a phone of a served country', () => {
    expect(senderOf('+254712345678', ['KE'])).toEqual({ number: '+254712345678' });
  });

  it.each(['12345', 'MPESA', '', '+', '254712345678', '+254712', 'whatsapp:+254712345678', '+254712345678\n'])(
    '%p is met with silence',
    (from) => {
      expect(senderOf(from, ['KE'])).toEqual({ silence: 'sender_is_no_phone' });
    },
  );

  it('from elsewhere is met with silence', () => {
    expect(senderOf('+447400123456', ['KE'])).toEqual({ silence: 'country_not_served' });
    expect(senderOf('+447400123456', ['KE', 'GB'])).toEqual({ number: '+447400123456' });
  });

  it('may share a calling code with another country', () => {
    expect(senderOf('+12025550123', ['US'])).toEqual({ number: '+12025550123' });
  });
});
