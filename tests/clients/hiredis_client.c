/* Drives a server through hiredis: commands, values of any bytes, pipelines, a transaction, errors. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisContext* context;

static void check(int holds, const char* what) {
  if (holds) return;
  printf("failed: %s: %s\n", what, context == NULL ? "no connection" : context->errstr);
  exit(1);
}

/* The reply is of this type and has this text, or this number. */
static void expect(redisReply* reply, int type, const char* text, long long number) {
  check(reply != NULL, "there is a reply");
  check(reply->type == type, "the type of the reply");
  if (text != NULL) check(reply->len == strlen(text) && memcmp(reply->str, text, reply->len) == 0, text);
  if (type == REDIS_REPLY_INTEGER) check(reply->integer == number, "the number of the reply");
  freeReplyObject(reply);
}

static void pipelines(void) {
  const int count = 10000;
  for (int i = 0; i < count; ++i) {
    check(redisAppendCommand(context, "SET key:%d %d", i, i) == REDIS_OK, "append SET");
    check(redisAppendCommand(context, "GET key:%d", i) == REDIS_OK, "append GET");
  }
  for (int i = 0; i < count; ++i) {
    void* reply = NULL;
    char text[16];
    check(redisGetReply(context, &reply) == REDIS_OK, "reply to SET");
    expect(reply, REDIS_REPLY_STATUS, "OK", 0);
    check(redisGetReply(context, &reply) == REDIS_OK, "reply to GET");
    snprintf(text, sizeof(text), "%d", i);
    expect(reply, REDIS_REPLY_STRING, text, 0);
  }
}

int main(int argc, char** argv) {
  check(argc == 2, "usage: hiredis_client SOCKET");
  context = redisConnectUnix(argv[1]);
  check(context != NULL && context->err == 0, "connect");
  expect(redisCommand(context, "PING"), REDIS_REPLY_STATUS, "PONG", 0);
  expect(redisCommand(context, "SET %b %b", "a\0b", (size_t)3, "\r\n\0\xff", (size_t)4), REDIS_REPLY_STATUS, "OK", 0);
  expect(redisCommand(context, "STRLEN %b", "a\0b", (size_t)3), REDIS_REPLY_INTEGER, NULL, 4);
  redisReply* reply = redisCommand(context, "GET %b", "a\0b", (size_t)3);
  check(reply != NULL && reply->len == 4 && memcmp(reply->str, "\r\n\0\xff", 4) == 0, "bytes come back");
  freeReplyObject(reply);
  expect(redisCommand(context, "GET absent"), REDIS_REPLY_NIL, NULL, 0);
  expect(redisCommand(context, "GET"), REDIS_REPLY_ERROR, "ERR wrong number of arguments for 'get' command", 0);
  expect(redisCommand(context, "INCRBY n 42"), REDIS_REPLY_INTEGER, NULL, 42);
  pipelines();
  expect(redisCommand(context, "MULTI"), REDIS_REPLY_STATUS, "OK", 0);
  expect(redisCommand(context, "INCR n"), REDIS_REPLY_STATUS, "QUEUED", 0);
  reply = redisCommand(context, "EXEC");
  check(reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 &&
            reply->element[0]->integer == 43, "EXEC");
  freeReplyObject(reply);
  const size_t size = 4 << 20;
  char* const large = malloc(size);
  check(large != NULL, "memory");
  memset(large, 'x', size);
  expect(redisCommand(context, "SET large %b", large, size), REDIS_REPLY_STATUS, "OK", 0);
  reply = redisCommand(context, "GET large");
  check(reply != NULL && reply->len == size && memcmp(reply->str, large, size) == 0, "a large value");
  freeReplyObject(reply);
  free(large);
  redisFree(context);
  puts("ok");
  return 0;
}
