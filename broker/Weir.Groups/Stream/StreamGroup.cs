using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups.Stream;

/// <summary>Being built.</summary>
internal sealed class StreamGroup(GroupImage declaration, IGroupContext context) : Group(declaration, context)
{
    public override bool HasMembers => false;

    public override void Replay(IGroupRecord record)
    {
    }

    public override IEnumerable<IGroupRecord> ToSnapshot() => [];

    public override void Tick()
    {
    }

    public override void Join(JoinGroupRequest request, IGroupSession session, Action<JoinGroupResponse> reply, Refuse refuse) =>
        refuse(ErrorCode.WrongGroupMode, string.Empty);

    public override void Heartbeat(GroupHeartbeatRequest request, Action<GroupHeartbeatResponse> reply, Refuse refuse) =>
        refuse(ErrorCode.UnknownMember, string.Empty);

    public override void Leave(LeaveGroupRequest request, Action<EmptyMessage> reply, Refuse refuse) =>
        refuse(ErrorCode.UnknownMember, string.Empty);

    public override void OnSessionClosed(IGroupSession session)
    {
    }

    public override long? CommittedOf(LogIdentity partition) => null;

    public override void Reset(IReadOnlyDictionary<LogIdentity, long> targets, Action done) => done();

    public override void Describe(DescribeGroupResponse description)
    {
    }

    public override void End(ErrorCode code, string text)
    {
    }

    protected override void OnDeclared()
    {
    }
}
