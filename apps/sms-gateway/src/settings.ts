import { Msisdn } from '#libs/contracts';
import { commonSettings, currencySetting, databaseSettings, keyFile } from '#libs/runtime';
import { type CountryCode, isSupportedCountry } from 'libphonenumber-js';
import { z } from 'zod';

const Country = z.string().refine((code): code is CountryCode => isSupportedCountry(code), {
  error: (issue) => `${String(issue.input)} is no country code (ISO 3166: KE)`,
});
const MessagingServiceSid = z.string().regex(/^MG[0-9a-f]{32}$/i);
const commaList = <Item extends z.ZodType<unknown, string>>(item: Item) =>
  z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(item).min(1));

/** The environment of the gateway. */
export const settings = z
  .object({
    ...commonSettings.shape,
    ...databaseSettings.shape,
    ...currencySetting.shape,
    HTTP_ADAPTER: z.enum(['fastify', 'express']).default('fastify').describe('which HTTP framework Nest runs on'),
    TWILIO_ACCOUNT_SID: z
      .string()
      .regex(/^AC[0-9a-f]{32}$/i, 'must be AC and 32 hexadecimal digits')
      .describe('the Twilio account'),
    TWILIO_AUTH_TOKEN: z.string().min(1).describe('signs webhooks and sends'),
    TWILIO_AUTH_TOKEN_SECONDARY: z
      .string()
      .min(1)
      .optional()
      .describe('a second token whose webhooks are taken too, while rotating'),
    TWILIO_API_URL: z.url().optional().describe("the provider's REST API; Twilio's own if absent"),
    SMS_NUMBERS: z
      .union([MessagingServiceSid.transform((service) => ({ service })), commaList(Msisdn).transform((numbers) => ({ numbers }))])
      .describe("the server's number, several by comma, or one Messaging Service SID"),
    PUBLIC_URL: z.url().describe('the gateway as Twilio sees it, https://pay.example.com; webhooks are checked against it alone'),
    DEFAULT_REGION: Country.default('KE').describe('national numbers are read as of this country'),
    COUNTRIES: commaList(Country).default(['KE']).describe('countries that are served, by comma'),
    DATA_KEYS: keyFile.describe('file with the keys that seal what carries a secret, {"<id>": "<base64 of 32 bytes>", …}'),
  })
  .superRefine((read, context) => {
    if (read.SMSPAY_MODE === 'production' && !read.PUBLIC_URL.startsWith('https://')) {
      context.addIssue({
        code: 'custom',
        path: ['PUBLIC_URL'],
        message: `must begin with https:// in production, got ${read.PUBLIC_URL}`,
      });
    }
  });
export type Settings = z.output<typeof settings>;
