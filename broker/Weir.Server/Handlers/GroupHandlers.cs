using Weir.Groups;
using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Metadata.Quorum;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Server.Groups;
using Weir.Server.Transport;

namespace Weir.Server.Handlers;

/// <summary>Brings a member's request to the coordinator of its group, which must be here.</summary>
/// <param name="coordinators">The coordinators here.</param>
/// <param name="groupOf">Finds the request's group in the metadata; with its name or id for people.</param>
/// <param name="serve">Calls the coordinator.</param>
internal sealed class GroupHandler<TRequest, TResponse>(
    GroupCoordinators coordinators, Func<TRequest, (GroupImage? Group, object Name)> groupOf,
    Action<GroupCoordinator, TRequest, IGroupSession, Action<TResponse>, Refuse> serve) : IOrderedHandler
    where TRequest : class, IRequest<TResponse>, new()
    where TResponse : class, IMessage, new()
{
    public ApiKey Api => TRequest.Key;

    public ValueTask HandleAsync(Connection connection, FrameHeader header, ReadOnlyMemory<byte> body)
    {
        var request = WireReader.ReadAll<TRequest>(body, header.Version);
        var (group, name) = groupOf(request);
        var loop = coordinators.Require(group, name);
        var session = new GroupSession(connection, request is JoinGroupRequest join ? join.SessionId : 0);
        if (request is JoinGroupRequest
            && !connection.TryAddSession(session.SessionId, () => loop.Post(coordinator => coordinator.OnSessionClosed(session))))
        {
            throw new ProtocolException(ErrorCode.LimitReached, "the connection has too many sessions of groups: open another one");
        }

        loop.Receive(coordinator => serve(coordinator, request, session, Reply, Refuse), Refuse);
        return ValueTask.CompletedTask;

        void Reply(TResponse response)
        {
            connection.Reply(header, response);
            connection.Flush(inline: false);
        }

        void Refuse(ErrorCode code, string text)
        {
            connection.ReplyError(header.Api, header.Version, header.CorrelationId, code, text);
            connection.Flush(inline: false);
        }
    }
}

/// <summary>Brings a request of an administrator to the coordinator of a group, wherever it is.</summary>
internal sealed class GroupAdminHandler<TRequest, TResponse>(
    GroupCoordinators coordinators, Func<MetadataImage> image, IPeerNetwork peers, int self,
    Func<TRequest, string> nameOf, Action<GroupCoordinator, TRequest, Action<TResponse>, Refuse> serve)
    : RequestHandler<TRequest, TResponse>
    where TRequest : class, IRequest<TResponse>, new()
    where TResponse : class, IMessage, new()
{
    private const int PeerTimeoutMs = 15_000;

    protected override async ValueTask<TResponse> HandleAsync(Connection connection, TRequest request) =>
        await AskAsync(connection, request).ConfigureAwait(false);

    private Task<TResponse> AskAsync(Connection connection, TRequest request)
    {
        var known = image();
        var done = new TaskCompletionSource<TResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        var group = known.FindGroup(nameOf(request));
        var leader = group is not null && known.Find(GroupImage.StateTopic) is { } topic
            ? topic.Partitions[group.StatePartition(topic.Partitions.Length)].Leader
            : self;
        if (leader == self || leader < 0 || connection.PeerNodeId is not null)
        {
            coordinators.Require(group, nameOf(request)).Receive(
                coordinator => serve(coordinator, request, response => done.SetResult(response), Refuse), Refuse);
        }
        else
        {
            peers.Send<TRequest, TResponse>(leader, request, PeerTimeoutMs, reply =>
            {
                if (reply.Response is { } response)
                {
                    done.SetResult(response);
                }
                else
                {
                    Refuse(reply.Error, reply.Text);
                }
            });
        }

        return done.Task;

        void Refuse(ErrorCode code, string text) => done.SetException(new ProtocolException(code, text));
    }
}

/// <summary>Looks for offsets in partitions that this broker leads.</summary>
internal sealed class LookUpOffsetsHandler(OffsetAnswers offsets) : RequestHandler<LookUpOffsetsRequest, LookUpOffsetsResponse>
{
    protected override async ValueTask<LookUpOffsetsResponse> HandleAsync(Connection connection, LookUpOffsetsRequest request) =>
        new() { Answers = await Task.Run(() => request.Queries.Select(offsets.Answer).ToArray()).ConfigureAwait(false) };
}

/// <summary>Reads committed batches for a coordinator on another broker.</summary>
internal sealed class ReadCommittedHandler(CommittedReader reader) : RequestHandler<ReadCommittedRequest, ReadCommittedResponse>
{
    private const int MaxWaitMs = 1000;

    protected override async ValueTask<ReadCommittedResponse> HandleAsync(Connection connection, ReadCommittedRequest request)
    {
        if (connection.PeerNodeId is null)
        {
            throw new ProtocolException(ErrorCode.NotAuthorized, "ReadCommitted is for the brokers of the cluster alone");
        }

        var wait = TimeSpan.FromMilliseconds(Math.Clamp(request.MaxWaitMs, 0, MaxWaitMs));
        var outcome = await reader.ReadHereAsync(
            new Storage.LogIdentity(request.TopicId, request.Partition), request.Offset, request.MaxBytes, wait,
            CancellationToken.None).ConfigureAwait(false);
        return new ReadCommittedResponse
        {
            Error = outcome.Error,
            LogStartOffset = outcome.LogStartOffset,
            HighWatermark = outcome.HighWatermark,
            Batches = outcome.Batches,
        };
    }
}
