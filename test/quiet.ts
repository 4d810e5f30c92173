// What is tested here logs on purpose; services in processes of their own are not quietened.
process.env['LOG_LEVEL'] ??= 'silent';
