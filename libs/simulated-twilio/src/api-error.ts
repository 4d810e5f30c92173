/** An error as Twilio's REST API answers it; twilio's SDK shows `code` and `message` of it. */
export interface ApiError {
  code: number;
  message: string;
  more_info: string;
  status: number;
}

/** https://www.twilio.com/docs/api/errors lists the codes. */
export function apiError(status: number, code: number, message: string): ApiError {
  return { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status };
}

const MESSAGES: Record<number, string> = {
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** What Twilio answers where the status says it all: code 20429 with a 429, 20503 with a 503. */
export function plainApiError(status: number): ApiError {
  return apiError(status, 20000 + status, MESSAGES[status] ?? 'Request failed');
}
