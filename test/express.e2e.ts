import { expect, it } from '@jest/globals';
import { Town } from '#libs/testing';

it('speaks the same on Express', async () => {
  const town = await Town.open({ env: { HTTP_ADAPTER: 'express' } });
  try {
    const ada = await town.joins({ name: 'Ada', balance: '100.00' });
    const ben = await town.joins({ name: 'Ben' });
    await ada.sends(`PAY 25 ${ben.number} lunch`);
    const [, code = ''] = await ada.receives(/Reply (\d{6})/);
    await ada.sends(code);
    await ada.receives(/^Paid KES 25\.00/);
    await ben.receives(/^You got KES 25\.00 .*"lunch"/);
    const unsigned = await fetch(`http://127.0.0.1:${town.of('sms-gateway')[0]?.port}/sms/inbound`, {
      method: 'POST',
      body: new URLSearchParams({ MessageSid: 'SM1' }),
    });
    expect(unsigned.status).toBe(403);
    await town.checkInvariants();
  } finally {
    await town.close();
  }
});
