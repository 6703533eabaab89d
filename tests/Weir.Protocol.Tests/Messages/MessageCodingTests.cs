using Weir.Protocol.Errors;
using Weir.Protocol.Fuzz.Messages;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Protocol.Tests.Messages;

/// <summary>What holds for the coding of every message.</summary>
[Trait("Category", "Unit")]
public sealed class MessageCodingTests
{
    private const byte UnknownTag = 200;

    public static TheoryData<string> Names => [.. MessageCatalog.All.Select(static message => message.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_message_decodes_to_what_was_encoded(string name)
    {
        var seed = (ulong)Random.Shared.NextInt64();
        var random = new SeededRandom(seed);
        var message = MessageCatalog.Get(name);
        for (var i = 0; i < 200; i++)
        {
            var (fields, body) = message.Random(random);
            if (!fields.SequenceEqual(message.DecodeAndDump(body)))
            {
                Assert.Fail($"seed {seed}, message {i}: {Convert.ToHexString(body)} is not {string.Join("; ", fields)}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_message_cut_at_any_byte_is_refused(string name)
    {
        var message = MessageCatalog.Get(name);
        var body = message.EncodeSample();
        var fixedBytes = body.Length - message.Sample().PayloadBytes;
        for (var cut = 0; cut < body.Length; cut++)
        {
            var fault = Record.Exception(() => message.Decode(body.AsMemory(0, cut)));
            if (cut < fixedBytes)
            {
                Assert.Equal(ErrorCode.MalformedFrame, Assert.IsType<ProtocolException>(fault).Code);
            }
            else
            {
                // The payload is the rest of the frame, and has a length of its own inside.
                Assert.Null(fault);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Extra_bytes_are_refused(string name)
    {
        var message = MessageCatalog.Get(name);
        byte[] longer = [.. message.EncodeSample(), 0];
        if (message.Sample().PayloadBytes > 0)
        {
            Assert.EndsWith("c400", message.DecodeAndDump(longer)[^1], StringComparison.Ordinal);
            return;
        }

        Assert.Equal(
            ErrorCode.MalformedFrame, Assert.Throws<ProtocolException>(() => message.Decode(longer)).Code);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void An_unknown_tagged_field_is_skipped(string name)
    {
        var message = MessageCatalog.Get(name);
        var body = message.EncodeSample(hasOptional: false);
        Assert.Equal(0, body[^1]);
        byte[] extended = [.. body[..^1], 2, UnknownTag, 3, 0, 1, 2, 3, UnknownTag + 1, 0, 0];

        Assert.Equal(message.Sample(hasOptional: false).Fields, message.DecodeAndDump(extended));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Tagged_fields_out_of_order_are_refused(string name)
    {
        var message = MessageCatalog.Get(name);
        var body = message.EncodeSample(hasOptional: false);
        foreach (var second in new byte[] { UnknownTag, UnknownTag - 1 })
        {
            byte[] disordered = [.. body[..^1], 2, UnknownTag, 0, 0, second, 0, 0];

            Assert.Equal(
                ErrorCode.MalformedFrame, Assert.Throws<ProtocolException>(() => message.Decode(disordered)).Code);
        }
    }

    [Fact]
    public void Unknown_tags_before_between_and_after_known_ones_are_skipped()
    {
        byte[] body =
        [
            32, 0, 0, 0, 0, 0, 0, 0,
            5, 0, 1, 0, 0xFF, 1, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, (byte)'h', 3, 0, 0, 255, 2, 0, 9, 9,
        ];

        var error = WireReader.ReadAll<ErrorMessage>(body, 1);

        Assert.Equal((ErrorCode.NotLeader, 7L, "h"), (error.Error, error.LeaderId!.Value, error.LeaderAddress));
    }

    [Fact]
    public void A_known_tag_of_a_wrong_length_is_refused()
    {
        byte[] body = [32, 0, 0, 0, 0, 0, 0, 0, 1, 1, 7, 0, 1, 2, 3, 4, 5, 6, 7];

        Assert.Throws<ProtocolException>(() => WireReader.ReadAll<ErrorMessage>(body, 1));
    }

    [Fact]
    public void Every_error_code_has_an_entry_with_advice()
    {
        Assert.Equal(Enum.GetValues<ErrorCode>(), ErrorCatalog.All.Select(static info => info.Code));
        Assert.All(ErrorCatalog.All, static info => Assert.NotEmpty(info.Advice));
    }

    [Fact]
    public void An_error_code_of_a_newer_peer_is_final() =>
        Assert.Equal((false, false), (ErrorCatalog.Get((ErrorCode)60_000).IsRetriable, ErrorCatalog.Get((ErrorCode)60_000).ClosesConnection));

    [Fact]
    public void Every_API_has_messages_and_a_range()
    {
        var apis = Enum.GetValues<ApiKey>();

        Assert.Equal(apis, ApiTable.Ranges.Select(static range => range.Api));
        Assert.Equal(apis, MessageCatalog.All.Select(static message => message.Api).Distinct().Order());
        Assert.All(apis, static api => Assert.True(ApiTable.Supports(api, 1) && ApiTable.Knows(api)));
        Assert.False(ApiTable.Supports(ApiKey.Hello, 0) || ApiTable.Supports(ApiKey.Hello, 2));
        Assert.False(ApiTable.Supports(apis[^1] + 1, 1) || ApiTable.Knows(apis[^1] + 1));
    }
}
