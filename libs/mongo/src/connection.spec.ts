import { describe, expect, it } from '@jest/globals';
import { uriProblems } from './connection.ts';

describe('a MONGODB_URI', () => {
  it.each([
    'mongodb://localhost/smspay_wallet',
    'mongodb://user:secret@a:27017,b:27017,c:27017/smspay_wallet?replicaSet=rs0&authSource=admin',
    'mongodb+srv://user:secret@cluster.example.net/smspay_wallet?retryWrites=true&w=majority',
  ])('%s is right', (uri) => {
    expect(uriProblems(uri)).toEqual([]);
  });

  it.each([
    ['mongodb://localhost', /must name the database/],
    ['mongodb://localhost/?w=majority', /must name the database/],
    ['mongodb://localhost/smspay?w=1', /w must be majority or absent, got 1/],
    ['mongodb://localhost/smspay?journal=false', /journal must be true/],
    ['mongodb://localhost/smspay?readConcernLevel=local', /readConcernLevel must be majority/],
    ['mongodb://localhost/smspay?retryWrites=false', /retryWrites must be true/],
  ])('%s is refused', (uri, problem) => {
    expect(uriProblems(uri)).toEqual([expect.stringMatching(problem)]);
  });
});
