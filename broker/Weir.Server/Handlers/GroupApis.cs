using Weir.Groups;
using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Metadata.Quorum;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Server.Groups;

namespace Weir.Server.Handlers;

/// <summary>The handlers of the APIs that coordinators serve.</summary>
internal static class GroupApis
{
    public static IEnumerable<IApiHandler> Handlers(
        GroupCoordinators coordinators, OffsetAnswers offsets, CommittedReader reader, Func<MetadataImage> image,
        IPeerNetwork peers, int self)
    {
        return
        [
            new GroupHandler<JoinGroupRequest, JoinGroupResponse>(
                coordinators, request => (image().FindGroup(request.Group), request.Group),
                static (coordinator, request, session, reply, refuse) => coordinator.Receive(request, session, reply, refuse)),
            Member<GroupHeartbeatRequest, GroupHeartbeatResponse>(
                static request => request.GroupId, static (coordinator, request, reply, refuse) => coordinator.Receive(request, reply, refuse)),
            Member<LeaveGroupRequest, EmptyMessage>(
                static request => request.GroupId, static (coordinator, request, reply, refuse) => coordinator.Receive(request, reply, refuse)),
            Member<CommitOffsetsRequest, CommitOffsetsResponse>(
                static request => request.GroupId, static (coordinator, request, reply, refuse) => coordinator.Receive(request, reply, refuse)),
            Member<SettleRequest, SettleResponse>(
                static request => request.GroupId, static (coordinator, request, reply, refuse) => coordinator.Receive(request, reply, refuse)),
            new GroupAdminHandler<DescribeGroupRequest, DescribeGroupResponse>(
                coordinators, image, peers, self, static request => request.Name,
                (coordinator, request, reply, refuse) => coordinator.Receive(
                    request,
                    response =>
                    {
                        response.Info.Coordinator = self;
                        reply(response);
                    },
                    refuse)),
            new GroupAdminHandler<ResetGroupRequest, ResetGroupResponse>(
                coordinators, image, peers, self, static request => request.Name,
                static (coordinator, request, reply, refuse) => coordinator.Receive(request, reply, refuse)),
            new LookUpOffsetsHandler(offsets),
            new ReadCommittedHandler(reader),
        ];

        GroupHandler<TRequest, TResponse> Member<TRequest, TResponse>(
            Func<TRequest, Guid> groupOf, Action<GroupCoordinator, TRequest, Action<TResponse>, Refuse> serve)
            where TRequest : class, IRequest<TResponse>, new()
            where TResponse : class, IMessage, new() =>
            new(
                coordinators,
                request =>
                {
                    var id = groupOf(request);
                    return (image().FindGroup(id), id);
                },
                (coordinator, request, _, reply, refuse) => serve(coordinator, request, reply, refuse));
    }
}
