using Weir.Protocol.Wire;
using Weir.Testing.Support;

namespace Weir.Protocol.Fuzz.Messages;

/// <summary>One message in one version, without its type parameter.</summary>
public abstract class MessageCase(ApiKey api, MessageRole role, ushort version)
{
    public ApiKey Api { get; } = api;

    public MessageRole Role { get; } = role;

    public ushort Version { get; } = version;

    /// <summary>As in the names of the golden files: <c>Produce.Request.v1</c>.</summary>
    public string Name => Role == MessageRole.Error ? $"Error.v{Version}" : $"{Api}.{Role}.v{Version}";

    /// <summary>The body of the fixed sample.</summary>
    public abstract byte[] EncodeSample(bool hasOptional = true);

    /// <summary>The body of a random message.</summary>
    public abstract byte[] EncodeRandom(SeededRandom random, bool isDense = false, int elements = 24);

    /// <summary>Decodes a body and lists its fields.</summary>
    public abstract IReadOnlyList<string> DecodeAndDump(ReadOnlyMemory<byte> body);

    /// <summary>Decodes a body, no more.</summary>
    public abstract void Decode(ReadOnlyMemory<byte> body);

    /// <summary>A random message as it was before it was encoded, and its body.</summary>
    public abstract (IReadOnlyList<string> Fields, byte[] Body) Random(SeededRandom random);

    /// <summary>The sample's fields, and the length of its payload.</summary>
    public abstract (IReadOnlyList<string> Fields, int PayloadBytes) Sample(bool hasOptional = true);
}

/// <summary>Every message of the protocol.</summary>
public static class MessageCatalog
{
    /// <summary>In the order of the API table.</summary>
    public static IReadOnlyList<MessageCase> All { get; } = Collect();

    /// <summary>A message by its name.</summary>
    public static MessageCase Get(string name) => All.Single(message => message.Name == name);

    private static List<MessageCase> Collect()
    {
        var visitor = new Collector();
        ApiTable.VisitAll(visitor);
        return visitor.Cases;
    }

    private sealed class Collector : IMessageVisitor
    {
        public List<MessageCase> Cases { get; } = [];

        public void Visit<T>(ApiKey api, MessageRole role, ushort version)
            where T : IMessage, new() =>
            Cases.Add(new MessageCase<T>(api, role, version));
    }

    private sealed class MessageCase<T>(ApiKey api, MessageRole role, ushort version) : MessageCase(api, role, version)
        where T : IMessage, new()
    {
        public override byte[] EncodeSample(bool hasOptional = true) =>
            Encode(SampleCodec.Create<T>(Version, hasOptional)).Body;

        public override byte[] EncodeRandom(SeededRandom random, bool isDense = false, int elements = 24) =>
            Encode(GeneratingCodec.Create<T>(random, Version, isDense, elements)).Body;

        public override IReadOnlyList<string> DecodeAndDump(ReadOnlyMemory<byte> body) =>
            DumpCodec.Dump(WireReader.ReadAll<T>(body, Version), Version);

        public override void Decode(ReadOnlyMemory<byte> body) => WireReader.ReadAll<T>(body, Version);

        public override (IReadOnlyList<string> Fields, byte[] Body) Random(SeededRandom random)
        {
            var message = GeneratingCodec.Create<T>(random, Version);
            return (DumpCodec.Dump(message, Version), Encode(message).Body);
        }

        public override (IReadOnlyList<string> Fields, int PayloadBytes) Sample(bool hasOptional = true)
        {
            var message = SampleCodec.Create<T>(Version, hasOptional);
            return (DumpCodec.Dump(message, Version), Encode(message).PayloadBytes);
        }

        private (byte[] Body, int PayloadBytes) Encode(T message)
        {
            using var buffer = new WireBuffer();
            var payload = Frames.Append(buffer, FrameKind.Request, Api, Version, 1, message);
            return ([.. buffer.Span[FrameHeader.Size..], .. payload.Span], payload.Length);
        }
    }
}
