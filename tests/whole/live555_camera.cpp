// A camera that this project did not write: LIVE555's RTSP server, which most cameras have inside, with two films.
//
// Usage: live555_camera ADDRESS USER PASSWORD H264_FILM H265_FILM (byte streams with start codes). Prints the port when
// it listens at that address; /h264 and /h265 show their film from its beginning to whoever asks, over TCP or UDP,
// with digest authentication. Made by scripts/live555.sh.

#include <BasicUsageEnvironment.hh>
#include <GroupsockHelper.hh>
#include <arpa/inet.h>
#include <cstdio>
#include <liveMedia.hh>

static void offer(RTSPServer* server, char const* name, ServerMediaSubsession* film) {
  ServerMediaSession* session = ServerMediaSession::createNew(server->envir(), name, name, "film");
  session->addSubsession(film);
  server->addServerMediaSession(session);
}

int main(int count, char** words) {
  if (count != 6) return 2;
  UsageEnvironment* env = BasicUsageEnvironment::createNew(*BasicTaskScheduler::createNew());
  ReceivingInterfaceAddr = SendingInterfaceAddr = inet_addr(words[1]);
  ReceivingInterfaceAddr6 = in6addr_loopback;
  UserAuthenticationDatabase* users = new UserAuthenticationDatabase("camera");
  users->addUserRecord(words[2], words[3]);
  RTSPServer* server = RTSPServer::createNew(*env, 0, users);
  if (server == NULL) return 1;
  offer(server, "h264", H264VideoFileServerMediaSubsession::createNew(*env, words[4], False));
  offer(server, "h265", H265VideoFileServerMediaSubsession::createNew(*env, words[5], False));
  char* url = server->rtspURLPrefix();
  unsigned port = 0;
  if (sscanf(url, "rtsp://%*[^:]:%u/", &port) != 1) return 1;
  printf("%u\n", port);
  fflush(stdout);
  env->taskScheduler().doEventLoop();
}
